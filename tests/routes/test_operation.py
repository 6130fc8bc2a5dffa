"""What a path operation is, worked out from its endpoint and its options; the rules are FastAPI's."""

import typing
from collections.abc import AsyncIterable, Generator, Iterable
from enum import IntEnum
from typing import Annotated, Any

import fastapi
import fastapi.responses
import fastapi.routing
import fastapi.sse
import pydantic
import pytest

import slipstream
import slipstream.responses
import slipstream.routing
import slipstream.sse
from slipstream._engine.router.pattern import read_pattern
from slipstream._engine.signature.model import Origin
from slipstream._engine.signature.names import Names
from slipstream._routes.operation import describe, path_strings, response_field
from slipstream.exceptions import DependencyScopeError, FastAPIError

FRAMEWORKS = (fastapi, slipstream)
HERE = Origin("tests.endpoint", __file__, 1)


class Item(pydantic.BaseModel):
    name: str


class Status(IntEnum):
    MADE = 201


def facts(framework: Any, endpoint: Any, **options: Any) -> Any:
    """What a route says of itself that is worked out rather than given."""
    route = framework.routing.APIRoute("/x", endpoint, **options)
    return {
        "model": route.response_model,
        "item": route.stream_item_type,
        "stream": (route.is_sse_stream, route.is_json_stream),
        "field": route.response_field and route.response_field.name,
        "item field": route.stream_item_field and route.stream_item_field.name,
        "others": {status: field.name for status, field in route.response_fields.items()},
        "status": (route.status_code, type(route.status_code).__name__),
        "words": (route.description, route.summary, route.name, route.unique_id, route.methods),
    }


def plain(): ...  # type: ignore[no-untyped-def]
def nothing() -> None: ...
def model() -> Item: ...  # type: ignore[empty-body]
def many() -> list[Item]: ...  # type: ignore[empty-body]
def anything() -> Any: ...
def lines() -> Iterable[Item]:
    yield Item(name="x")


async def async_lines() -> AsyncIterable[Item]:
    yield Item(name="x")


async def bare_lines() -> typing.AsyncIterator:  # type: ignore[type-arg]
    yield Item(name="x")


def generated() -> Generator[Item, None, None]:
    yield Item(name="x")


def not_streamed() -> Iterable[Item]:
    """It returns a list, though the annotation would allow a generator."""
    return []


def documented() -> None:
    """The first line.

    More of it.
    \f
    Not for readers of the documentation.
    """


@pytest.mark.parametrize(
    "endpoint",
    [plain, nothing, model, many, anything, lines, async_lines, bare_lines, generated, not_streamed, documented],
)
@pytest.mark.parametrize("chosen", [None, "HTMLResponse", "StreamingResponse", "EventSourceResponse", "JSONResponse"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"response_model": None},
        {"response_model": list[Item]},
        {"responses": {404: {"model": Item}, "5XX": {"model": list[str]}, 204: {"description": "none"}}},
        {"status_code": Status.MADE, "description": "Given.\fHidden.", "summary": "S", "name": "n"},
        {"operation_id": "given", "methods": ["put"]},
    ],
    ids=["plain", "no model", "a model", "responses", "words", "id"],
)
def test_facts_are_fastapis(endpoint: Any, chosen: str | None, options: dict[str, Any]) -> None:
    """Which type is validated and documented, whether the endpoint streams, under which names."""
    seen = []
    for framework in FRAMEWORKS:
        module = framework.sse if chosen == "EventSourceResponse" else framework.responses
        classes = {} if chosen is None else {"response_class": getattr(module, chosen)}
        seen.append(facts(framework, endpoint, **options, **classes))

    assert seen[1] == seen[0]


@pytest.mark.parametrize("annotation", ["Response", "JSONResponse", "EventSourceResponse"])
def test_an_endpoint_that_returns_responses_has_no_model(annotation: str) -> None:
    """What it returns is sent as it is."""
    for framework in FRAMEWORKS:
        module = framework.sse if annotation == "EventSourceResponse" else framework.responses

        def endpoint() -> Any: ...

        endpoint.__annotations__["return"] = getattr(module, annotation)
        assert facts(framework, endpoint)["model"] is None


def test_events_that_say_how_they_are_framed_are_no_model() -> None:
    """The frame is not the data."""
    for framework in FRAMEWORKS:

        async def endpoint() -> Any:
            yield

        endpoint.__annotations__["return"] = AsyncIterable[framework.sse.ServerSentEvent]
        assert facts(framework, endpoint, response_class=framework.sse.EventSourceResponse)["item"] is None


@pytest.mark.parametrize(
    "options",
    [
        {"status_code": 204, "response_model": Item},
        {"responses": {204: {"model": Item}}},
        {"responses": {200: "text"}},
    ],
    ids=["a body where none may be", "a model where none may be", "no dictionary"],
)
def test_contradictions_are_refused_at_registration(options: dict[str, Any]) -> None:
    """In FastAPI's words first; the advice comes after."""
    said = []
    for framework in FRAMEWORKS:
        with pytest.raises(AssertionError) as caught:
            framework.APIRouter().get("/x", **options)(plain)
        said.append(str(caught.value))

    assert said[1].startswith(said[0])


class Unknown:
    """Pydantic cannot validate it."""


def unknown_parameter(value: Unknown) -> None: ...
def unknown_result() -> Unknown: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("endpoint", [unknown_parameter, unknown_result])
def test_what_pydantic_cannot_validate_is_fastapis_error_and_says_where(endpoint: Any) -> None:
    """Programs catch the class; people need the line."""
    with pytest.raises(FastAPIError, match=rf"at .*{__name__.rpartition('.')[2]}\.py:\d+ in {endpoint.__name__}"):
        slipstream.APIRouter().get("/x")(endpoint)
    with pytest.raises(fastapi.exceptions.FastAPIError):
        fastapi.APIRouter().get("/x")(endpoint)


def test_a_dependency_that_outlives_what_it_needs_is_fastapis_error() -> None:
    """It would use a closed connection in its clean-up."""

    def short() -> Generator[int]:
        yield 1

    def long(value: Annotated[int, slipstream.Depends(short, scope="function")]) -> Generator[int]:
        yield value

    def endpoint(value: Annotated[int, slipstream.Depends(long, scope="request")]) -> int:
        return value

    with pytest.raises(DependencyScopeError):
        slipstream.APIRouter().get("/x")(endpoint)


@pytest.mark.parametrize(
    ("path", "names"),
    [("/x", set()), ("/{a}/{b:path}", {"a", "b"}), ("/{a:str}/{n:int}/{u:uuid}/{f:float}", {"a"})],
)
def test_parameters_of_the_path_that_stay_strings_are_known(path: str, names: set[str]) -> None:
    """They need no validation where the endpoint wants a string."""
    assert path_strings(read_pattern(path)) == names


def test_a_description_ends_at_a_form_feed() -> None:
    """What comes after is for readers of the source."""
    assert describe(documented, None) == "The first line.\n\nMore of it."
    assert describe(documented, " Given. \f Hidden.") == "Given."
    assert describe(nothing, None) == ""


def test_a_response_without_a_model_has_no_field() -> None:
    """Nothing is validated then."""
    names = Names(nothing, ())
    assert response_field(None, "name", 200, HERE, names) is None
    field = response_field(Item, "name", 200, HERE, names)
    assert field is not None
    assert (field.name, field.mode) == ("name", "serialization")
