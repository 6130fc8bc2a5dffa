"""What `include_router` makes of the routes of a router: against FastAPI, whose combinations are many."""

from typing import Any

import fastapi
import fastapi.responses
import fastapi.routing
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Match, Mount, NoMatchFound, Route, WebSocketRoute

import slipstream
import slipstream.responses
import slipstream.routing
from slipstream.testclient import TestClient

FRAMEWORKS = (fastapi, slipstream)
both = pytest.mark.parametrize("framework", FRAMEWORKS)


def endpoint(number: int = 0) -> int:
    """What it does."""
    return number


def first() -> None: ...
def second() -> None: ...


@both
def test_a_router_included_twice_has_two_sets_of_routes(framework: Any) -> None:
    """One router under two versions is the common way to write an API in versions."""
    router = framework.APIRouter()

    @router.get("/x")
    def here(request: Request) -> str:
        return request.url.path

    app = framework.FastAPI()
    app.include_router(router, prefix="/v1", tags=["v1"])
    app.include_router(router, prefix="/v2", tags=["v2"])
    client = TestClient(app)

    assert [client.get(f"/{version}/x").json() for version in ("v1", "v2")] == ["/v1/x", "/v2/x"]
    assert {path: item["get"]["tags"] for path, item in app.openapi()["paths"].items()} == {
        "/v1/x": ["v1"],
        "/v2/x": ["v2"],
    }


@both
def test_original_routes_are_the_ones_that_were_added(framework: Any) -> None:
    """Packages look there for what they put on a route, whatever kind it is of."""
    router = framework.APIRouter()
    router.get("/own")(endpoint)
    router.websocket("/socket")(endpoint)
    router.add_route("/foreign", endpoint)
    router.add_websocket_route("/foreign/socket", endpoint)
    router.mount("/mount", framework.FastAPI(openapi_url=None), name="mounted")
    router.routes.append(Host("example.org", framework.FastAPI(openapi_url=None), name="hosted"))
    app = framework.FastAPI(openapi_url=None)
    app.include_router(router, prefix="/p")

    contexts = list(framework.routing.iter_route_contexts(app.routes))

    assert all(context.original_route is route for context, route in zip(contexts, router.routes, strict=True))
    assert [(getattr(each, "path", None), each.name) for each in contexts] == [
        ("/p/own", "endpoint"), ("/p/socket", "endpoint"), ("/p/foreign", "endpoint"),
        ("/p/foreign/socket", "endpoint"), ("/p/mount", "mounted"), (None, "hosted"),
    ]  # fmt: skip
    assert list(framework.routing.iter_route_contexts(contexts)) == contexts


def tree(framework: Any) -> Any:
    """An application with every kind of route, two inclusions deep, one of them with a parameter.

    A router's own prefix holds for path operations, not for what is mounted or added as Starlette's routes are.
    """
    app, outer, inner = framework.FastAPI(), framework.APIRouter(prefix="/outer"), framework.APIRouter(prefix="/inner")
    child = framework.FastAPI()

    @child.get("/{z}", name="leaf")
    def leaf(z: str, request: Request) -> Any:
        return [z, request.scope["root_path"], request.path_params, str(request.url)]

    @inner.get("/item/{x:int}", name="item")
    def item(x: int, place: str, request: Request) -> Any:
        return [x, place, str(request.url_for("item", place="here", x=7))]

    @inner.websocket("/socket/{y}", name="socket")
    async def socket(websocket: framework.WebSocket, y: str, place: str) -> None:
        await websocket.accept()
        await websocket.send_text(f"{y} {place}")
        await websocket.close()

    async def foreign(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(request.path_params))

    inner.mount("/mount/{t}", child, name="mount")
    inner.routes.append(Host("{sub}.example.org", child, name="host"))
    inner.routes.append(Host("nameless.example.org", child))
    inner.add_route("/foreign/{k}", foreign, name="foreign")
    outer.include_router(inner, prefix="/at/{place}")
    app.include_router(outer, prefix="/top")
    return app


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("item", {"place": "p", "x": 1}),
        ("item", {"x": 1}),
        ("item", {"place": "p", "x": 1, "more": 1}),
        ("socket", {"place": "p", "y": "y"}),
        ("foreign", {"place": "p", "k": "k"}),
        ("mount", {"place": "p", "t": "t", "path": "/more"}),
        ("mount:leaf", {"place": "p", "t": "t", "z": "z"}),
        ("host:leaf", {"place": "p", "sub": "s", "z": "z"}),
        ("host", {"sub": "s", "path": "/more"}),
        ("leaf", {"place": "p", "z": "z"}),
        ("nobody", {}),
    ],
)
def test_paths_are_built_through_inclusions_as_fastapi_builds_them(name: str, params: dict[str, Any]) -> None:
    """Every kind of route below, by application and by router."""
    seen = []
    for framework in FRAMEWORKS:
        app = tree(framework)
        for owner in (app, app.router):
            try:
                path = owner.url_path_for(name, **params)
                seen.append((str(path), path.protocol, path.host))
            except NoMatchFound:
                seen.append(("", "", "no match"))

    assert seen[2:] == seen[:2]


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/top/outer/at/P/inner/item/3", "test"),
        ("/top/outer/at/P/inner/item/three", "test"),
        ("/top/outer/at/P/inner/item/3/", "test"),
        ("/top/outer/at/P/mount/T/Z", "test"),
        ("/top/outer/at/P/mount/T", "test"),
        ("/top/outer/at/P/mount/T/", "test"),
        ("/top/outer/at/P/foreign/K", "test"),
        ("/top/outer/at/P/Z", "a.example.org"),
        ("/top/outer/at/P/Z", "nameless.example.org"),
        ("/Z", "a.example.org"),
        ("/openapi.json", "a.example.org"),
    ],
)
def test_requests_find_every_kind_of_route_through_inclusions(path: str, host: str) -> None:
    """Mounts, hosts and foreign routes are moved under the prefix too."""
    seen = []
    for framework in FRAMEWORKS:
        response = TestClient(tree(framework)).get(path, headers={"host": host}, follow_redirects=False)
        seen.append((response.status_code, response.headers.get("location"), response.text))

    assert seen[1] == seen[0]


@both
def test_web_sockets_are_found_through_inclusions(framework: Any) -> None:
    """With the parameters of the prefix."""
    with TestClient(tree(framework)).websocket_connect("/top/outer/at/P/inner/socket/Y") as websocket:
        assert websocket.receive_text() == "Y P"


def test_a_kind_of_route_that_nobody_knows_is_left_out() -> None:
    """It cannot be put under a prefix; FastAPI leaves it out as well."""

    class Odd(BaseRoute):
        pass

    router = slipstream.APIRouter()
    router.routes.append(Odd())
    app = slipstream.FastAPI(openapi_url=None)
    app.include_router(router)

    assert list(slipstream.routing.iter_route_contexts(app.routes)) == []


@both
def test_an_included_router_can_be_asked_as_a_route(framework: Any) -> None:
    """Packages walk `app.routes` and ask each for a match, as Starlette does."""
    app = tree(framework)
    node = app.routes[-1]
    scope = {"type": "http", "method": "GET", "path": "/top/outer/at/P/inner/item/3", "root_path": "", "headers": []}

    assert node.matches(scope) == (Match.FULL, {})
    assert node.matches({**scope, "method": "POST"}) == (Match.PARTIAL, {})
    assert node.matches({**scope, "path": "/elsewhere"}) == (Match.NONE, {})


def test_a_route_chosen_by_hand_serves() -> None:
    """What `matches` chose, `handle` serves: foreign routers dispatch so."""

    class Only:
        """A router of one's own that asks each route in turn."""

        def __init__(self, routes: Any) -> None:
            self.routes = routes

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            for route in self.routes:
                match, child_scope = route.matches(scope)
                if match == Match.FULL:
                    scope.update(child_scope)
                    await route.handle(scope, receive, send)

    assert TestClient(Only(tree(slipstream).routes)).get("/top/outer/at/P/foreign/K").text == str(
        {"place": "P", "k": "K"}
    )


def test_twins_are_kept_while_routes_stay_and_made_anew_when_they_do_not() -> None:
    """What has been compiled for them would be lost with every override that a test sets."""
    router, app = slipstream.APIRouter(), slipstream.FastAPI()
    router.get("/x")(endpoint)
    app.include_router(router, prefix="/p")
    node: Any = app.routes[-1]
    (twin,) = node.effective_routes()

    app.dependency_overrides[first] = second
    assert node.effective_routes()[0] is twin

    router.get("/y")(endpoint)
    assert [route.path for route in node.effective_routes()] == ["/p/x", "/p/y"]
    changed: Any = router.routes[0]
    changed.tags.append("late")
    router._mark_routes_changed()
    assert node.effective_routes()[0].tags == ["late"]


def test_what_cannot_be_made_fails_each_time() -> None:
    """An error at the first request must not turn into a 404 at the second."""

    def refuse(route: Any) -> str:
        if route.path.startswith("/p"):
            raise LookupError(route.path)
        return "fine"

    router, app = slipstream.APIRouter(generate_unique_id_function=refuse), slipstream.FastAPI()
    router.get("/x")(endpoint)
    app.include_router(router, prefix="/p")
    client = TestClient(app)

    for _ in range(2):
        with pytest.raises(LookupError, match="/p/x"):
            client.get("/p/x")


@pytest.mark.parametrize(
    "refused",
    [
        lambda fw: (router := fw.APIRouter()).include_router(router),
        lambda fw: (a := fw.APIRouter(), b := fw.APIRouter(), a.include_router(b), b.include_router(a)),
        lambda fw: fw.APIRouter(prefix="x"),
        lambda fw: fw.APIRouter(prefix="/x/"),
        lambda fw: fw.APIRouter().include_router(fw.APIRouter(), prefix="x"),
        lambda fw: fw.APIRouter().include_router(fw.APIRouter(), prefix="/x/"),
        lambda fw: ((empty := fw.APIRouter()).get("")(endpoint), fw.APIRouter().include_router(empty)),
    ],
    ids=[
        "itself",
        "a circle",
        "a prefix without a slash",
        "a prefix with one at its end",
        "an inclusion without a slash",
        "an inclusion with one at its end",
        "nothing at all",
    ],
)
def test_inclusions_that_fastapi_refuses_are_refused_in_its_words(refused: Any) -> None:
    """Programs that check for them keep working."""
    said = []
    for framework in FRAMEWORKS:
        with pytest.raises(Exception, match=r"\w") as caught:
            refused(framework)
        said.append((type(caught.value).__name__, str(caught.value)))

    assert said[1] == said[0]


@both
def test_an_empty_path_is_the_prefix(framework: Any) -> None:
    """Collections are served at the prefix itself, without a slash."""
    router, app = framework.APIRouter(), framework.FastAPI()
    router.get("")(endpoint)
    app.include_router(router, prefix="/items")

    assert TestClient(app).get("/items?number=3").json() == 3


@both
def test_starlette_routes_given_at_construction_are_served_in_order(framework: Any) -> None:
    """`routes=` takes any of Starlette's, also in routers that are included."""

    async def foreign(request: Request) -> PlainTextResponse:
        return PlainTextResponse("foreign")

    async def socket(websocket: Any) -> None:
        await websocket.accept()
        await websocket.close()

    router = framework.APIRouter(
        routes=[Route("/x", foreign), WebSocketRoute("/w", socket), Mount("/m", routes=[Route("/x", foreign)])]
    )
    router.get("/x")(endpoint)
    app = framework.FastAPI()
    app.include_router(router, prefix="/p")
    client = TestClient(app)

    assert client.get("/p/x").text == client.get("/p/m/x").text == "foreign"
    assert client.post("/p/x").status_code == 405
    with client.websocket_connect("/p/w"):
        pass
