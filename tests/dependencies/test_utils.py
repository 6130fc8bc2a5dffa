"""Reading and solving dependencies by hand: the same functions of FastAPI's beside ours."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Annotated, Any

import fastapi
import fastapi.dependencies.models
import fastapi.dependencies.utils as theirs
import fastapi.routing
import fastapi.security
import pytest
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import FormData, QueryParams

import slipstream
import slipstream.dependencies.models
import slipstream.dependencies.utils as ours
import slipstream.routing
import slipstream.security
from slipstream import Body, Depends, FastAPI, Query, Request
from slipstream.dependencies.models import Dependant
from slipstream.testclient import TestClient

pytestmark = pytest.mark.anyio
BOTH = [(slipstream, ours), (fastapi, theirs)]


class Item(BaseModel):
    name: str
    tags: list[str] = []


def program(package: Any) -> Callable[..., Any]:
    """One endpoint with everything in it, for either framework."""

    async def user(token: Annotated[str, package.Header()], page: int = 1) -> str:
        return f"{token}{page}"

    def endpoint(
        item_id: int,
        limit: Annotated[list[int], package.Query(alias="l")],
        who: Annotated[str, package.Depends(user)],
        again: Annotated[str, package.Depends(user)],
        session: Annotated[str | None, package.Cookie()] = None,
        body: Annotated[Item | None, package.Body()] = None,
    ) -> None: ...

    return endpoint


def described(dependant: Any) -> Any:
    """What a tree of calls says, names only."""
    shelves = ("path_params", "query_params", "header_params", "cookie_params", "body_params")
    return (
        dependant.name,
        dependant.path,
        dependant.use_cache,
        dependant.scope,
        [
            [(field.name, field.alias, field.field_info.is_required()) for field in getattr(dependant, shelf)]
            for shelf in shelves
        ],
        [described(inner) for inner in dependant.dependencies],
    )


def test_a_callable_is_read_as_fastapi_reads_it() -> None:
    """Packages walk the tree and its lists of parameters."""
    mine, other = (described(utils.get_dependant(path="/{item_id}", call=program(package))) for package, utils in BOTH)

    assert mine == other


def test_parameters_and_bodies_are_listed_as_fastapi_lists_them() -> None:
    """A package documents them."""
    lists = []
    for package, utils in BOTH:
        dependant: Any = utils.get_dependant(path="/{item_id}", call=program(package))
        flat, bodies = utils.get_flat_params(dependant), utils._get_flat_body_params(dependant)
        embed = utils._should_embed_body_fields(bodies)
        body = utils._get_body_field(body_params=bodies, name="x", embed_body_fields=embed)
        assert body is not None
        lists.append(([field.name for field in flat], [field.name for field in bodies], embed, body.name))

    assert lists[0] == lists[1]


@pytest.mark.parametrize("query", ["l=1&l=2&page=3", "l=x", "", "page=x&l=1"])
def test_parameters_are_taken_as_fastapi_takes_them(query: str) -> None:
    """Outside a request too: titiler-core reads options from a URL this way."""
    found = []
    for package, utils in BOTH:
        dependant: Any = utils.get_dependant(path="/{item_id}", call=program(package))
        flat = [*dependant.query_params, *dependant.dependencies[0].query_params]
        found.append(utils.request_params_to_args(flat, QueryParams(query)))

    assert found[0] == found[1]


@pytest.mark.parametrize("body", [{"name": "a"}, {"name": 1}, None, "x", [], {}])
async def test_a_body_is_taken_as_fastapi_takes_it(body: Any) -> None:
    """Whole or by key, good or bad."""
    for embed in (False, True):
        found = []
        for package, utils in BOTH:

            def endpoint(item: Annotated[Item, package.Body(embed=embed)]) -> None: ...

            dependant: Any = utils.get_dependant(path="/", call=endpoint)
            values, errors = await utils.request_body_to_args(dependant.body_params, body, embed)
            found.append(({name: value and value.model_dump() for name, value in values.items()}, errors))

        assert found[0] == found[1]


@pytest.mark.parametrize("items", [[("name", "a"), ("tags", "x"), ("tags", "y")], [("tags", "x")]])
async def test_a_form_is_taken_as_fastapi_takes_it(items: list[tuple[str, str]]) -> None:
    """Fields and models; a wrong one leaves the others."""
    found = []
    for package, utils in BOTH:

        def endpoint(name: Annotated[str, package.Form()], tags: Annotated[list[str], package.Form()]) -> None: ...

        dependant: Any = utils.get_dependant(path="/", call=endpoint)
        found.append(await utils.request_body_to_args(dependant.body_params, FormData(items), True))

    assert found[0] == found[1]


class Other(BaseModel):
    model_config = ConfigDict(extra="allow")

    number: Annotated[list[int], Field(validation_alias="n")]


@pytest.mark.parametrize(
    "body", [{"item": {"name": "a"}}, {"name": "a"}, {"i": {"name": "b"}}, {"item": 1}, {}, None, []]
)
@pytest.mark.parametrize("kind", ["one", "optional", "two", "union", "alias"])
async def test_models_of_a_form_are_looked_up_in_a_dict_as_fastapi_looks(kind: str, body: Any) -> None:
    """A package solves a tree anew with the body that it has changed."""
    found = []
    for package, utils in BOTH:
        form = package.Form()
        annotations: dict[str, Any] = {
            "one": Annotated[Item, form],
            "optional": Annotated[Item | None, form],
            "two": Annotated[Item, form],
            "union": Annotated[Item | Other, form],
            "alias": Annotated[Item, package.Form(alias="i")],
        }

        def endpoint(item: Any = None, more: Any = 0) -> None: ...

        endpoint.__annotations__.update(item=annotations[kind], more=Annotated[int, form] if kind == "two" else Request)
        dependant: Any = utils.get_dependant(path="/", call=endpoint)
        values, errors = await utils.request_body_to_args(dependant.body_params, body, False)
        shown = {name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in values.items()}
        found.append((shown, [(error["type"], error["loc"]) for error in errors]))

    assert found[0] == found[1]


@pytest.mark.parametrize("items", [[], [("name", "")], [("n", "1"), ("n", "2")], [("number", "1")], [("other", "x")]])
@pytest.mark.parametrize("model", [Item, Other])
def test_forms_are_searched_for_models_as_fastapi_searches(
    model: type[BaseModel], items: list[tuple[str, str]]
) -> None:
    """Cadwyn asks by these half-public functions what FastAPI would find."""
    form, found = FormData(items), []
    for package, utils in BOTH:

        def endpoint(item: Annotated[Any, package.Form()]) -> None: ...

        endpoint.__annotations__["item"] = Annotated[model, package.Form()]
        (field,) = utils.get_dependant(path="/", call=endpoint).body_params
        fields = utils.get_cached_model_fields(model)
        found.append(
            [
                utils._get_form_models(field),
                utils._is_form_model_supplied(model, form),
                [(each.name, utils._get_param_aliases(each)) for each in fields],
                [repr(utils._get_multidict_value(each, form, "n")) for each in fields],
                [repr(utils._get_multidict_value(each, form, "name")) for each in fields],
                utils._normalize_form_model({"n": ["1", "2"], "name": "", "x": None, "y": []}, model=model),
                utils._normalize_form_model("text", model=model),
            ]
        )

    assert found[0] == found[1]


def annotated_in_text(a: "int", b: "list[Item]", c: "Unknown" = 0, *, d: "None" = None) -> "Item": ...  # type: ignore[empty-body, name-defined]  # noqa: F821


@pytest.mark.parametrize("call", [annotated_in_text, lambda: None, Item])
def test_signatures_are_typed_as_fastapi_types_them(call: Callable[..., Any]) -> None:
    """fastapi-cache writes them anew."""
    mine, other = (utils.get_typed_signature(call) for utils in (ours, theirs))

    assert [(p.name, p.kind, str(p.annotation)) for p in mine.parameters.values()] == [
        (p.name, p.kind, str(p.annotation)) for p in other.parameters.values()
    ]
    assert ours.get_typed_return_annotation(call) == theirs.get_typed_return_annotation(call)


def test_the_other_small_questions_have_fastapis_answers() -> None:
    """One line each."""
    field = ours.get_dependant(path="/", call=with_alias).query_params[0]

    assert ours.get_validation_alias(field) == "v"
    assert ours.get_stream_item_type(AsyncIterator[int]) is int
    assert ours.get_typed_annotation("None", {}) is None
    assert ours.lenient_issubclass(Item, BaseModel)
    assert not ours.lenient_issubclass(3, BaseModel)
    ours.ensure_multipart_is_installed()


def with_alias(a: Annotated[int, Query(validation_alias="v")]) -> None: ...


def test_a_flat_dependant_holds_what_the_whole_tree_asks_for() -> None:
    """FastAPI dropped this function; packages written before still call it."""

    def low(a: int) -> None: ...
    def high(x: Annotated[None, Depends(low)], y: Annotated[None, Depends(low)], b: int) -> None: ...

    dependant = ours.get_dependant(path="/", call=high)

    assert [field.name for field in ours.get_flat_dependant(dependant).query_params] == ["b", "a", "a"]
    assert [field.name for field in ours.get_flat_dependant(dependant, skip_repeats=True).query_params] == ["b", "a"]


def application(package: Any, utils: Any, routing: Any, log: list[str]) -> Any:
    """An app whose only route solves its dependencies by hand, as fastapi-jsonrpc does."""
    app = package.FastAPI()

    async def async_dep() -> AsyncIterator[str]:
        async with AsyncExitStack():
            yield "async"
        log.append("async closed")

    def blocking(q: int) -> Iterator[str]:
        yield f"blocking{q}"
        log.append("blocking closed")

    def plain(
        response: package.Response,
        tasks: package.BackgroundTasks,
        request: package.Request,
        scopes: package.security.SecurityScopes,
    ) -> str:
        response.headers["x-plain"] = request.url.path
        tasks.add_task(log.append, "task")
        log.append("plain called")
        return ",".join(scopes.scopes)

    def original() -> str:
        return "original"

    async def limited() -> str:
        return "limited"

    def endpoint(
        a: Annotated[str, package.Depends(async_dep)],
        b: Annotated[str, package.Depends(blocking, scope="function")],
        c: Annotated[str, package.Security(plain, scopes=["s"])],
        d: Annotated[str, package.Security(plain, scopes=["s"])],
        e: Annotated[str, package.Depends(original)],
        f: Annotated[str, package.Depends(limited, max_concurrency=1)],
        name: Annotated[str, package.Body(embed=True)],
        header: Annotated[str, package.Header()] = "h",
    ) -> None: ...

    dependant = utils.get_dependant(path="/", call=endpoint)
    app.dependency_overrides[original] = lambda: "replaced"

    async def serve(request: package.Request) -> Any:
        async with AsyncExitStack() as stack:
            solved = await utils.solve_dependencies(
                request=request,
                dependant=dependant,
                body=await request.json(),
                dependency_overrides_provider=app,
                async_exit_stack=stack,
                embed_body_fields=True,
            )
            log.append("solved")
            answer = package.responses.JSONResponse({"values": solved.values, "errors": solved.errors})
            answer.headers.raw.extend(solved.response.headers.raw)
            answer.background = solved.background_tasks
            return answer

    app.router.routes.append(package.routing.APIRoute("/", serve, methods=["POST"]))
    app.router.routes[-1].app = routing.request_response(serve)
    return app


@pytest.mark.parametrize("query", ["q=1", "q=x", ""])
def test_dependencies_are_solved_as_fastapi_solves_them(query: str) -> None:
    """Values, errors, order, clean-up after the response: all the same."""
    stories = []
    for package, utils, routing in (
        (slipstream, ours, slipstream.routing),
        (fastapi, theirs, fastapi.routing),
    ):
        log: list[str] = []
        client = TestClient(application(package, utils, routing, log))
        reply = client.post(f"/?{query}", json={"name": "n"})
        stories.append((reply.status_code, reply.json(), reply.headers.get("x-plain"), log))

    assert stories[0] == stories[1]


async def test_without_a_request_of_ours_things_close_with_the_callers_stack() -> None:
    """Whoever builds a Request by hand gets clean-up all the same."""
    log: list[str] = []

    async def opened() -> AsyncIterator[str]:
        try:
            yield "open"
        except LookupError:
            log.append("told")
            raise
        finally:
            log.append("closed")

    def endpoint(a: Annotated[str, Depends(opened, max_concurrency=1)]) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "path_params": {}}

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            await ours.solve_dependencies(
                request=Request(scope),
                dependant=ours.get_dependant(path="/", call=endpoint),
                async_exit_stack=stack,
                embed_body_fields=False,
            )
            raise LookupError

    with pytest.raises(LookupError):
        await serve()

    assert log == ["told", "closed"]


def test_a_dependency_added_to_a_route_is_served_and_documented() -> None:
    """fastapi-pagination and titiler-core do it, before the first request and after."""
    app, called = FastAPI(), []

    @app.get("/")
    async def endpoint() -> str:
        return "ok"

    def counted(page: Annotated[int, Query()] = 1, name: Annotated[str, Body()] = "") -> None:
        called.append(page)

    client = TestClient(app)
    assert client.get("/?page=7").json() == "ok"
    route: Any = app.routes[-1]
    depends = Depends(counted)

    route.dependencies.append(depends)
    route.dependant.dependencies.append(ours.get_parameterless_sub_dependant(depends=depends, path=route.path_format))
    bodies = ours._get_flat_body_params(route.dependant)
    route.body_field = ours._get_body_field(body_params=bodies, name="x", embed_body_fields=route._embed_body_fields)
    route.app = slipstream.routing.request_response(route.get_route_handler())

    assert client.request("GET", "/?page=7").json() == "ok"
    assert called == [7]
    assert [parameter["name"] for parameter in app.openapi()["paths"]["/"]["get"]["parameters"]] == ["page"]
    assert route.body_field.name == "name"
    assert route._app is None, "the compiled handler still serves"


def test_a_dependant_made_by_hand_can_be_filled() -> None:
    """fastapi-jsonrpc makes empty ones and puts in what it wants."""
    dependant = Dependant(path="/", call=len, own_oauth_scopes=["a"], request_param_name="r")
    dependant.parent_oauth_scopes = ["b"]
    dependant.security_scopes_param_name = "s"
    dependant.request_param_name = None

    assert dependant.own_oauth_scopes == ["a"]
    assert dependant.oauth_scopes == ("b", "a")
    assert dependant.contexts == [("s", "scopes")]
    assert dependant.request_param_name is None
    assert dependant.concurrency is None
    assert not hasattr(dependant, "__dict__")
    assert Dependant().call is None


def test_equal_callables_of_different_kinds_are_told_apart() -> None:
    """Kinds are remembered by identity: some callables are equal to others, some have no hash."""

    class Equal:
        def __eq__(self, other: object) -> bool:
            return True

    class Sync(Equal):
        def __call__(self) -> None: ...

    class Async(Equal):
        async def __call__(self) -> None: ...

    for models in (fastapi.dependencies.models, slipstream.dependencies.models):
        calls = [Sync(), Async(), None, Sync()]

        assert [models._is_coroutine_callable(call) for call in calls] == [False, True, False, False]
        assert models._is_coroutine_callable_cached.cache_info().maxsize == 4096
