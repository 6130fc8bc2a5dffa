"""Wrong definitions: each fails at the decorator's own line and says what was seen, where, and what to write."""

import dataclasses
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path as FilePath
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from slipstream import APIRouter, Body, Depends, FastAPI, Header, Path, Query, Request
from slipstream._engine.errors import DefinitionError, DefinitionWarning, SlipstreamError, shown
from slipstream.bots import exception as bots_errors
from slipstream.exceptions import DependencyScopeError, FastAPIError
from slipstream.links import errors as links_errors
from slipstream.routing import APIRoute


class Item(BaseModel):
    name: str


class Opaque:
    pass


app = FastAPI(openapi_url=None)

CASES: dict[str, tuple[Callable[[], Any], type[BaseException], list[str]]] = {}
"""By name: what defines wrongly, the exception, and what its message says, line by line."""


def case(exception: type[BaseException], *said: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a wrong definition; in what is said, HERE is where the endpoint begins."""

    def register(define: Callable[[], Any]) -> Callable[[], Any]:
        CASES[define.__name__.replace("_", " ").strip()] = (define, exception, list(said))
        return define

    return register


@case(
    FastAPIError,
    "Pydantic cannot validate values of this type: thing: Opaque",
    "  at HERE in a_type_that_pydantic_does_not_know.<locals>.endpoint",
    "  if a dependency provides it, write thing: Annotated[Opaque, Depends(...)]; "
    "if not, write a type that Pydantic knows",
)
def a_type_that_pydantic_does_not_know() -> None:
    @app.get("/")  # HERE
    async def endpoint(thing: Opaque) -> None: ...


@case(
    DefinitionError,
    "Query parameter 'filters' must be one of the supported types: filters: dict[str, Any]",
    "  at HERE in a_mapping_in_the_query.<locals>.endpoint",
    "  a query holds scalars, lists of scalars or one model; for anything else write Body()",
)
def a_mapping_in_the_query() -> None:
    @app.get("/")  # HERE
    async def endpoint(filters: Annotated[dict[str, Any], Query()]) -> None: ...


@case(
    DefinitionError,
    "Path params must be of one of the supported types: item: Item",
    "  at HERE in a_model_in_the_path.<locals>.endpoint",
    "  a path holds one value: write a scalar type such as int, str or UUID",
)
def a_model_in_the_path() -> None:
    @app.get("/{item}")  # HERE
    async def endpoint(item: Item) -> None: ...


@case(
    DefinitionError,
    "dependency cycle: endpoint -> one -> two -> one",
    "  at ",
    "  break it: move what both need into a third dependency",
)
def a_dependency_that_needs_itself() -> None:
    async def one(value: Any) -> None: ...

    async def two(value: Annotated[int, Depends(one)]) -> None: ...

    one.__annotations__["value"] = Annotated[int, Depends(two)]

    @app.get("/")  # HERE
    async def endpoint(value: Annotated[int, Depends(one)]) -> None: ...


@case(
    DefinitionWarning,
    "GET with several bodies: 'first' and 'second'",
    "  at HERE in two_unmarked_bodies_of_a_get.<locals>.endpoint",
    "  for query parameters write Annotated[Model, Query()]; to read a body all the same, mark each with Body()",
)
def two_unmarked_bodies_of_a_get() -> None:
    @app.get("/")  # HERE
    async def endpoint(first: Item, second: Item) -> None: ...


@case(
    ValueError,
    "Duplicated param name a at path /{a}/{a}",
    "  give each {parameter} of the path a name of its own",
)
def a_name_twice_in_the_path() -> None:
    @app.get("/{a}/{a}")  # HERE
    async def endpoint(a: int) -> None: ...


@case(
    DefinitionError,
    "Path parameters cannot have default values for 'item_id'",
    "  at HERE in a_default_for_a_path_parameter.<locals>.endpoint",
    "  a path that matches always has the value: leave `= <default>` out",
)
def a_default_for_a_path_parameter() -> None:
    @app.get("/{item_id}")  # HERE
    async def endpoint(item_id: Annotated[int, Path()] = 1) -> None: ...


@case(
    DefinitionError,
    "Cannot specify FastAPI annotations in `Annotated` and default value together for 'limit'",
    "  at HERE in two_markers_of_values.<locals>.endpoint",
    "  keep one of them, as metadata: limit: Annotated[..., <the one to keep>]",
)
def two_markers_of_values() -> None:
    @app.get("/")  # HERE
    async def endpoint(limit: Annotated[int, Query()] = Header()) -> None: ...


@case(
    DefinitionError,
    "Cannot specify `Depends` in `Annotated` and default value together for 'value'",
    "  at HERE in two_dependencies.<locals>.endpoint",
    "  keep one of them, as metadata: value: Annotated[..., <the one to keep>]",
)
def two_dependencies() -> None:
    @app.get("/")  # HERE
    async def endpoint(value: Annotated[int, Depends(int)] = Depends(int)) -> None: ...


@case(
    DefinitionError,
    "Cannot specify a FastAPI annotation in `Annotated` and `Depends` as a default value together for 'value'",
    "  at HERE in a_value_and_a_dependency.<locals>.endpoint",
    "  keep one of them, as metadata: value: Annotated[..., <the one to keep>]",
)
def a_value_and_a_dependency() -> None:
    @app.get("/")  # HERE
    async def endpoint(value: Annotated[int, Query()] = Depends(int)) -> None: ...


@case(
    DefinitionError,
    "Cannot specify `Query` with type Request for 'request'",
    "  at HERE in a_marker_on_the_request.<locals>.endpoint",
    "  it is handed over, not read from the request: write request: Request",
)
def a_marker_on_the_request() -> None:
    @app.get("/")  # HERE
    async def endpoint(request: Annotated[Request, Query()]) -> None: ...


@case(
    DefinitionError,
    "Cannot use `Query` for path param 'item_id'",
    "  at HERE in a_query_marker_in_the_path.<locals>.endpoint",
    "  write Path() in its place, or give the parameter a name that the path does not have",
)
def a_query_marker_in_the_path() -> None:
    @app.get("/{item_id}")  # HERE
    async def endpoint(item_id: Annotated[int, Query()]) -> None: ...


@case(
    DefinitionError,
    "`Query` default value cannot be set in `Annotated` for 'limit'. Set the default value with `=` instead.",
    "  at HERE in a_default_inside_the_marker.<locals>.endpoint",
    "  write limit: Annotated[..., Query()] = <default>",
)
def a_default_inside_the_marker() -> None:
    @app.get("/")  # HERE
    async def endpoint(limit: Annotated[int, Query(default=1)]) -> None: ...


@case(
    DefinitionError,
    "`FieldInfo()` does not say where 'limit' comes from: limit: int",
    "  at HERE in a_marker_that_says_no_place.<locals>.endpoint",
    "  write Query(), Path(), Header(), Cookie(), Body(), Form() or File() in its place",
)
def a_marker_that_says_no_place() -> None:
    @app.get("/")  # HERE
    async def endpoint(limit: int = Field(3)) -> None: ...


@case(
    DependencyScopeError,
    'The dependency "outer" has a scope of "request", it cannot depend on dependencies with scope "function": value',
    "  at ",
    '  give both the same scope: Depends(..., scope="function")',
)
def a_dependency_that_outlives_what_it_needs() -> None:
    async def inner() -> AsyncIterator[int]:
        yield 1

    async def outer(value: Annotated[int, Depends(inner, scope="function")]) -> AsyncIterator[int]:
        yield value

    @app.get("/")  # HERE
    async def endpoint(value: Annotated[int, Depends(outer)]) -> None: ...


@case(
    DefinitionError,
    "A dependency must be callable: dependencies: 3",
    "  at HERE in a_dependency_of_the_route_that_is_no_callable.<locals>.endpoint",
    "  write Depends(function), with the function itself and not its result",
)
def a_dependency_of_the_route_that_is_no_callable() -> None:
    @app.get("/", dependencies=[Depends(3)])  # type: ignore[arg-type]  # HERE
    async def endpoint() -> None: ...


@case(
    DefinitionError,
    "A dependency must be callable: value: {}",
    "  at HERE in the_result_of_a_dependency.<locals>.endpoint",
    "  write Depends(function), with the function itself and not its result",
)
def the_result_of_a_dependency() -> None:
    @app.get("/")  # HERE
    async def endpoint(value: Annotated[dict[str, int], Depends({})]) -> None: ...  # type: ignore[arg-type]


@case(
    ValueError,
    "Unknown path convertor 'foo': '/{a:foo}'",
    "  write one of ",
)
def an_unknown_converter() -> None:
    @app.get("/{a:foo}")  # HERE
    async def endpoint(a: int) -> None: ...


@case(
    DefinitionWarning,
    "A path must begin with a slash, or no request finds it: 'items'",
    "  at HERE in a_path_without_slash.<locals>.endpoint",
    '  write "/items"',
)
def a_path_without_slash() -> None:
    @app.get("items")  # HERE
    async def endpoint() -> None: ...


@case(
    DefinitionWarning,
    "A path must begin with a slash, or no request finds it: 'chat'",
    "  at HERE in a_websocket_path_without_slash.<locals>.endpoint",
    '  write "/chat"',
)
def a_websocket_path_without_slash() -> None:
    @app.websocket("chat")  # HERE
    async def endpoint() -> None: ...


@case(
    FastAPIError,
    "Invalid args for response field! <class ",
    "  at HERE in a_response_model_that_pydantic_does_not_know.<locals>.endpoint",
    "  if it is a return annotation that is only there for readers and type checkers, such as",
    "  Response | dict, give the path operation decorator the parameter response_model=None",
)
def a_response_model_that_pydantic_does_not_know() -> None:
    @app.get("/", response_model=Opaque)  # HERE
    async def endpoint() -> None: ...


@case(
    FastAPIError,
    "Invalid args for response field! <class ",
    "  at HERE in a_return_annotation_that_pydantic_does_not_know.<locals>.endpoint",
    "  if it is a return annotation that is only there for readers and type checkers, such as",
    "  Response | dict, give the path operation decorator the parameter response_model=None",
)
def a_return_annotation_that_pydantic_does_not_know() -> None:
    @app.get("/")  # HERE
    async def endpoint() -> Opaque:
        return Opaque()


@case(
    AssertionError,
    "Status code 204 must not have a response body",
    "  at HERE in a_response_model_for_a_status_without_body.<locals>.endpoint",
    "  write response_model=None, or choose a status whose responses have one",
)
def a_response_model_for_a_status_without_body() -> None:
    @app.get("/", status_code=204, response_model=Item)  # HERE
    async def endpoint() -> None: ...


@case(TypeError, "get() got an unexpected keyword argument 'respons_model'")
def a_misspelt_option() -> None:
    @app.get("/", respons_model=Item)  # type: ignore[call-arg]  # HERE
    async def endpoint() -> None: ...


def here(define: Callable[[], Any]) -> int:
    """The line of a case's decorator."""
    first = define.__code__.co_firstlineno
    lines = FilePath(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number in range(first, len(lines) + 1) if lines[number - 1].endswith("# HERE"))


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_definition_fails_at_its_own_line_and_says_what_to_write(name: str) -> None:
    """Who reads it may never have seen the framework; there is no request to blame yet."""
    define, exception, said = CASES[name]
    count = len(app.routes)

    with pytest.raises(exception) as caught:
        define()

    line = here(define)
    own = [frame.lineno for frame in traceback.extract_tb(caught.tb) if frame.filename == __file__]
    assert own[-1] == line
    expected = [part.replace("HERE", f"{__file__}:{line}") for part in said]
    lines = str(caught.value).splitlines()
    assert len(lines) == len(expected)
    for told, start in zip(lines, expected, strict=True):
        assert told.startswith(start)
    assert len(app.routes) == count


def test_a_definition_error_is_an_assertion_error_too() -> None:
    """FastAPI asserts; programs that catch its AssertionError catch ours."""
    assert issubclass(DefinitionError, AssertionError)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [(int, "int"), (Item, "Item"), (list[Item], "list[tests.engine.test_errors.Item]"), (int | None, "int | None")],
)
def test_a_type_is_told_as_a_user_would_write_it(annotation: Any, text: str) -> None:
    """`<class 'int'>` is nothing to copy."""
    assert shown(annotation).replace(f"{__name__}.", "tests.engine.test_errors.") == text


def test_marked_bodies_of_a_get_are_meant() -> None:
    """Unusual, but HTTP allows it, and the user said so twice."""

    async def endpoint(first: Annotated[Item, Body()], second: Annotated[Item, Body()]) -> None: ...

    assert APIRoute("/", endpoint, methods=["GET"]).body_field is not None


def test_a_relative_path_is_fine_where_a_prefix_may_come() -> None:
    """FastAPI puts prefix and path together as they are."""
    router = APIRouter()

    @router.get("items")
    async def endpoint() -> None: ...

    application = FastAPI(openapi_url=None)
    application.include_router(router, prefix="/shop-")

    assert application.url_path_for("endpoint") == "/shop-items"


@pytest.mark.parametrize(
    "kind",
    [
        each
        for module in (bots_errors, links_errors)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, SlipstreamError) and dataclasses.is_dataclass(each)
    ],
    ids=lambda kind: kind.__name__,
)
def test_an_error_made_of_fields_shows_its_text_whatever_else_it_is(kind: Any) -> None:
    """A wrong setting is a wrong definition, too, whose errors have their message from elsewhere."""
    values = {field.name: number for number, field in enumerate(dataclasses.fields(kind), 1)}

    assert kind.text.format_map(values) in str(kind(**values))
