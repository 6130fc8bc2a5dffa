"""Routers and their path operations: what their signatures say, what they accept, what they serve."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import fastapi
import fastapi.routing
import pytest

import slipstream
import slipstream.routing
from slipstream.testclient import TestClient

VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """Name each parameter but `limits`, which FastAPI has not, with its kind and its default."""
    named = inspect.signature(function).parameters.items()
    return {name: (each.kind, written(each.default)) for name, each in named if name != "limits"}


def written(default: Any) -> str:
    """Write a default so that equal ones of both frameworks read the same."""
    if isinstance(default, fastapi.datastructures.DefaultPlaceholder | slipstream.datastructures.DefaultPlaceholder):
        return f"Default({written(default.value)})"
    return str(getattr(default, "__name__", default))


@pytest.mark.parametrize("owner", ["FastAPI", "APIRouter"])
@pytest.mark.parametrize("function", [*VERBS, "__init__", "include_router"])
def test_parameters_and_defaults_are_fastapis(owner: str, function: str) -> None:
    """Editors, `help`, and packages that wrap the decorators read them."""
    theirs = parameters(getattr(getattr(fastapi, owner), function))
    ours = parameters(getattr(getattr(slipstream, owner), function))

    assert ours == theirs


@pytest.mark.parametrize("owner", ["FastAPI", "APIRouter"])
@pytest.mark.parametrize("function", ["add_api_route", "api_route"])
def test_the_general_doors_take_what_fastapis_take(owner: str, function: str) -> None:
    """They take a few options more, which FastAPI's routes have and its decorators do not pass on."""
    theirs = parameters(getattr(getattr(fastapi, owner), function))
    ours = parameters(getattr(getattr(slipstream, owner), function))

    assert theirs.items() <= ours.items()
    assert set(ours) - set(theirs) <= {"callbacks", "strict_content_type", "dependency_overrides_provider"}


@pytest.mark.parametrize("route", ["APIRoute", "APIWebSocketRoute"])
def test_the_parameters_of_routes_are_fastapis(route: str) -> None:
    """Custom classes of routes call their base with them."""
    theirs = parameters(getattr(fastapi.routing, route))

    assert parameters(getattr(slipstream.routing, route)) == theirs


def answer() -> str:
    return "answer"


class Recording:
    """An ASGI app around another that counts its calls."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        await self.app(scope, receive, send)


def test_an_app_put_around_a_route_serves() -> None:
    """Instrumentation wraps `route.app`, as Starlette allows; before the first request and after it."""
    app = slipstream.FastAPI()
    app.get("/x")(answer)
    route: Any = app.routes[-1]
    early = route.app = Recording(route.app)
    client = TestClient(app)
    assert client.get("/x").json() == "answer"

    late = route.app = Recording(route.app)

    assert client.get("/x").json() == "answer"
    assert (early.calls, late.calls) == (2, 1)


def test_the_app_of_a_route_is_served_as_it_is_under_no_prefix() -> None:
    """FastAPI makes the app of an included route anew, and so loses what was put around the original."""
    seen: dict[str, int] = {}

    for framework in (fastapi, slipstream):
        router = framework.APIRouter()
        router.get("/x")(answer)
        route: Any = router.routes[0]
        recording = route.app = Recording(route.app)
        app = framework.FastAPI()
        app.include_router(router, prefix="/p")
        assert TestClient(app).get("/p/x").json() == "answer"
        seen[framework.__name__] = recording.calls

    assert seen == {"fastapi": 0, "slipstream": 0}


@pytest.mark.parametrize("framework", [fastapi, slipstream])
def test_a_class_of_routes_may_handle_requests_itself(framework: Any) -> None:
    """Overriding `handle` is Starlette's way to see each request of a route."""
    seen = []

    class Route(framework.routing.APIRoute):  # type: ignore[misc]
        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(self.name)
            await super().handle(scope, receive, send)

    router = framework.APIRouter(route_class=Route)
    router.get("/x")(answer)
    app = framework.FastAPI()
    app.include_router(router, prefix="/p")
    app.router.add_api_route("/direct", answer, route_class_override=Route, name="direct")

    client = TestClient(app)

    assert client.get("/p/x").json() == client.get("/direct").json() == "answer"
    assert client.post("/p/x").status_code == 405
    assert seen[:2] == ["answer", "direct"]


@pytest.mark.parametrize("framework", [fastapi, slipstream])
def test_a_class_of_routes_may_decide_for_itself_what_it_matches(framework: Any) -> None:
    """Versions by header are often built like that."""

    class Route(framework.routing.APIRoute):  # type: ignore[misc]
        def matches(self, scope: Any) -> Any:
            match, child_scope = super().matches(scope)
            wanted = (b"x-version", b"2") in scope["headers"]
            return (match, child_scope) if wanted else (framework.routing.Match.NONE, {})

    router = framework.APIRouter(route_class=Route)
    router.get("/x/{number}")(answer)
    app = framework.FastAPI()
    app.include_router(router, prefix="/p")
    client = TestClient(app)

    assert client.get("/p/x/1").status_code == 404
    assert client.get("/p/x/1", headers={"x-version": "2"}).json() == "answer"


@pytest.mark.parametrize("method", ["get", "api_route"])
@pytest.mark.parametrize("overridden", ["api_route", "add_api_route"])
def test_overridden_doors_are_told_every_option(method: str, overridden: str) -> None:
    """Packages override them and look at options by name, whether or not the user gave any."""
    told: dict[str, list[str]] = {}

    for framework in (fastapi, slipstream):

        def door(self: Any, *arguments: Any, framework: Any = framework, **options: Any) -> Any:
            told[framework.__name__] = sorted(options.keys() - {"path", "endpoint"})
            return getattr(framework.APIRouter, overridden)(self, *arguments, **options)

        router = type("Router", (framework.APIRouter,), {overridden: door})()
        getattr(router, method)("/x")(answer)

    if (method, overridden) != ("api_route", "api_route"):  # there, nobody stands between the user and the override
        assert told["slipstream"] == told["fastapi"]


def test_a_class_of_routes_is_told_every_option() -> None:
    """Those that list the parameters they take know FastAPI's; bounds on forms come only if there are any."""
    told: dict[str, list[set[str]]] = {"fastapi": [], "slipstream": []}

    for framework in (fastapi, slipstream):

        class Route(framework.routing.APIRoute):  # type: ignore[misc, name-defined]
            def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
                told[self.__class__.__mro__[1].__module__.partition(".")[0]].append(set(options))
                super().__init__(path, endpoint, **options)

        router = framework.APIRouter(route_class=Route)
        router.get("/x")(answer)
        router.post("/x", form_limits={"max_files": 1})(answer)

    assert told["slipstream"] == told["fastapi"]


@pytest.mark.parametrize(
    ("function", "call"),
    [
        *((verb, lambda owner, verb=verb: getattr(owner, verb)("/x", nope=1)) for verb in VERBS),
        ("api_route", lambda owner: owner.api_route("/x", nope=1)),
        ("add_api_route", lambda owner: owner.add_api_route("/x", answer, nope=1)),
        ("include_router", lambda owner: owner.include_router(slipstream.APIRouter(), nope=1)),
    ],
)
@pytest.mark.parametrize("owner", [slipstream.FastAPI, slipstream.APIRouter])
def test_an_option_that_does_not_exist_is_refused_by_name(owner: Any, function: str, call: Any) -> None:
    """A misspelt option must not be swallowed by `**options`; it fails where it is written."""
    with pytest.raises(TypeError, match=rf"^{function}\(\) got an unexpected keyword argument 'nope'$"):
        call(owner())


@pytest.mark.parametrize("made", ["APIRouter", "APIRoute", "FastAPI"])
def test_a_class_refuses_an_option_that_does_not_exist(made: str) -> None:
    """The same when an application, a router or a route is made."""
    arguments = ("/x", answer) if made == "APIRoute" else ()

    with pytest.raises(TypeError, match=rf"^{made}\(\) got an unexpected keyword argument 'nope'$"):
        getattr(slipstream.routing, made, slipstream.FastAPI)(*arguments, nope=1)


@pytest.mark.parametrize("framework", [fastapi, slipstream])
def test_a_router_may_say_what_serves_what_it_does_not(framework: Any) -> None:
    """`not_found` is overridden, as in Starlette, or `default` given."""

    class Router(framework.APIRouter):  # type: ignore[misc]
        async def not_found(self, scope: Any, receive: Any, send: Any) -> None:
            await framework.responses.PlainTextResponse("mine", status_code=404)(scope, receive, send)

    app = framework.FastAPI()
    app.mount("/sub", Router())

    assert TestClient(app).get("/sub/x").text == "mine"


@pytest.mark.parametrize("framework", [fastapi, slipstream])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_routes_and_routers_can_be_copied(framework: Any, duplicate: Any) -> None:
    """Packages that serve one API in several versions copy routes and change the copies."""
    router = framework.APIRouter()
    router.get("/x")(answer)

    route = duplicate(router.routes[0])
    whole = duplicate(router)

    app = framework.FastAPI(routes=[route])
    app.include_router(whole, prefix="/p")
    client = TestClient(app)
    assert client.get("/x").json() == client.get("/p/x").json() == "answer"


def test_a_deep_copy_of_a_router_is_a_router_of_its_own() -> None:
    """What is added to the copy is served by the copy, and by it alone."""
    router = slipstream.APIRouter()
    router.get("/x")(answer)
    twin = copy.deepcopy(router)

    twin.get("/y")(answer)

    app = slipstream.FastAPI()
    app.mount("/old", router)
    app.mount("/new", twin)
    client = TestClient(app)
    assert client.get("/new/y").json() == client.get("/new/x").json() == "answer"
    assert client.get("/old/y").status_code == 404


@pytest.mark.parametrize(
    "name", ["ASGIApp", "BaseRoute", "Match", "Mount", "NoMatchFound", "Receive", "Request", "Scope", "Send", "URLPath"]
)
def test_starlettes_names_are_found_where_fastapi_has_them(name: str) -> None:
    """Programs import them from there, `NoMatchFound` above all."""
    assert getattr(slipstream.routing, name) is getattr(fastapi.routing, name)


@pytest.mark.parametrize("name", ["APIRoute", "APIRouter", "APIWebSocketRoute", "RouteContext", "iter_route_contexts"])
def test_a_public_name_says_where_it_is_imported_from(name: str) -> None:
    """Pickles, tracebacks and documentation name the module; it must be the one that stays."""
    public = getattr(slipstream.routing, name)

    assert public.__module__ == "slipstream.routing"
    assert public.__qualname__ == name


def test_markers_and_exceptions_can_be_pickled() -> None:
    """They cross process boundaries; routes do not, neither here nor in FastAPI."""
    exc = pickle.loads(pickle.dumps(slipstream.HTTPException(404, "gone", headers={"a": "b"})))
    depends = pickle.loads(pickle.dumps(slipstream.Depends(answer)))

    assert (exc.status_code, exc.detail, exc.headers) == (404, "gone", {"a": "b"})
    assert depends == slipstream.Depends(answer)
    assert pickle.loads(pickle.dumps(slipstream.routing.APIRoute)) is slipstream.routing.APIRoute
