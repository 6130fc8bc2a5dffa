"""Included routers and their routes as FastAPI shows them: contexts, and who is asked, in which order, how often."""

from typing import Any

import fastapi
import fastapi.responses
import fastapi.routing
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Match, Mount, Route, WebSocketRoute

import slipstream
import slipstream.responses
import slipstream.routing
from slipstream.testclient import TestClient

FRAMEWORKS = (fastapi, slipstream)
both = pytest.mark.parametrize("framework", FRAMEWORKS)


def first() -> None: ...
def second() -> None: ...


async def foreign(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request.path_params))


def tree(framework: Any) -> Any:
    """Every kind of route, two inclusions deep."""
    app, outer, inner = framework.FastAPI(openapi_url=None), framework.APIRouter(), framework.APIRouter(prefix="/inner")

    @inner.get("/item/{x:int}", dependencies=[framework.Depends(second)], tags=["own"])
    def item(x: int) -> int:
        return x

    @inner.websocket("/socket/{y}")
    async def socket(websocket: framework.WebSocket, y: str) -> None: ...

    inner.add_route("/foreign/{k}", foreign, name="foreign")
    inner.add_websocket_route("/raw", foreign, name="raw")
    inner.mount("/mount", framework.FastAPI(openapi_url=None), name="mount")
    inner.routes.append(Host("{sub}.example.org", foreign, name="host"))
    outer.include_router(inner, prefix="/at/{place}", dependencies=[framework.Depends(first)], tags=["mid"])
    outer.get("/own")(first)
    app.include_router(outer, prefix="/top")
    app.get("/last")(first)
    return app


def test_contexts_are_those_of_fastapi() -> None:
    """Programs walk them to check that every route asks for authorisation; metrics read the path there."""
    seen = []
    for framework in FRAMEWORKS:
        app = tree(framework)
        node = next(route for route in app.routes if hasattr(route, "effective_route_contexts"))
        contexts = list(node.effective_route_contexts())
        assert list(node.effective_route_contexts()) == contexts
        assert all(isinstance(context, framework.routing._EffectiveRouteContext) for context in contexts)
        assert isinstance(node, framework.routing._IncludedRouter)
        nested, own = node.effective_candidates()
        assert isinstance(nested, framework.routing._IncludedRouter)
        assert own is contexts[-1]
        inner = nested.original_router
        assert [context.original_route for context in contexts[:-1]] == inner.routes
        seen.append(
            [
                node.include_context.prefix,
                nested.include_context.prefix,
                nested.include_context.tags,
                [depends.dependency for depends in nested.include_context.dependencies],
                nested.include_context.included_router is inner,
                [
                    (
                        type(context.original_route).__name__,
                        type(context.starlette_route).__name__,
                        context.path,
                        context.path_format,
                        sorted(context.methods),
                        [depends.dependency for depends in context.dependencies],
                        list(context.tags),
                        getattr(context.starlette_route, "path", None),
                        context.dependant and [each.call for each in context.dependant.dependencies],
                        getattr(context.dependant, "path", None),
                        str(context.url_path_for("item", place="p", x=1)) if context.name == "item" else None,
                    )
                    for context in contexts
                ],
            ]
        )

    assert seen[1] == seen[0]


def test_routes_with_their_contexts_are_listed_as_in_fastapi() -> None:
    """Packages copy routes by this list."""
    seen = []
    for framework in FRAMEWORKS:
        routes = tree(framework).routes
        pairs = list(framework.routing._iter_routes_with_context(routes))
        contexts = list(framework.routing.iter_route_contexts(routes))
        assert [context.original_route for context in contexts] == [context.route for context in contexts]
        assert [route for route, _ in pairs] == [context.route for context in contexts]
        candidates = list(framework.routing._iter_included_route_candidates(routes))
        seen.append(
            [
                [context is None for _, context in pairs],
                [(each.path, each.path_format, each.name, each.methods and sorted(each.methods)) for each in contexts],
                [(type(route).__name__, getattr(route, "path", None)) for route in candidates],
            ]
        )

    assert seen[1] == seen[0]


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        ("http", "GET", "/top/at/P/inner/item/3"),
        ("http", "POST", "/top/at/P/inner/item/3"),
        ("http", "GET", "/top/at/P/inner/item/three"),
        ("websocket", "GET", "/top/at/P/inner/item/3"),
        ("websocket", "GET", "/top/at/P/inner/socket/Y"),
        ("http", "GET", "/top/at/P/inner/foreign/K"),
        ("http", "GET", "/top/at/P/mount/more"),
    ],
)
def test_each_context_can_be_asked_by_itself(kind: str, method: str, path: str) -> None:
    """OpenTelemetry's instrumentation asks them before middleware has run."""
    seen = []
    for framework in FRAMEWORKS:

        class Picky(framework.routing.APIRoute):
            def matches(self, scope: Any) -> Any:
                raise AssertionError("a context does not ask the route")

        app = tree(framework)
        next(iter(framework.routing.iter_route_contexts(app.routes))).original_route.__class__ = Picky
        scope = {"type": kind, "method": method, "path": path, "root_path": "", "headers": []}
        found = [context.matches(dict(scope)) for context in framework.routing.iter_route_contexts(app.routes)]
        seen.append([(match, child.get("path_params")) for match, child in found])

    assert seen[1] == seen[0]


def asked(framework: Any, log: list[Any]) -> Any:
    """An application whose routes and routers note each question to them."""

    def seen(asked: Any, what: str, scope: Any) -> None:
        context = scope.get("fastapi", {}).get("effective_route_context")
        path = None if context is None or context.original_route is not asked else context.path
        log.append((type(asked).__name__, getattr(asked, "path", None), what, path))

    class Route(framework.routing.APIRoute):
        def matches(self, scope: Any) -> Any:
            seen(self, "matches", scope)
            return super().matches(scope)

        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            seen(self, "handle", scope)
            await super().handle(scope, receive, send)

    class Handling(framework.routing.APIRoute):
        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            seen(self, "handle", scope)
            await super().handle(scope, receive, send)

    class Wrapping(framework.routing.APIRoute):
        def get_route_handler(self) -> Any:
            log.append(("Wrapping", self.path, "get_route_handler", None))
            handle = super().get_route_handler()

            async def wrapped(request: Any) -> Any:
                seen(self, "wrapped", request.scope)
                return await handle(request)

            return wrapped

    class Router(framework.APIRouter):
        def matches(self, scope: Any) -> Any:
            log.append(("Router", self.prefix, "matches", None))
            return super().matches(scope)

        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            log.append(("Router", self.prefix, "handle", None))
            await super().handle(scope, receive, send)

    def read(request: Request) -> Any:
        scope = request.scope
        context = scope.get("fastapi", {}).get("effective_route_context")
        return [scope["route"].path, context and context.path, request.path_params]

    app = framework.FastAPI(openapi_url=None)
    plain, nested, custom = framework.APIRouter(), framework.APIRouter(), Router(prefix="/custom")
    plain.add_api_route("/before", read)
    plain.add_api_route("/route/{x}", read, route_class_override=Route)
    plain.add_api_route("/handling/{x}", read, route_class_override=Handling)
    plain.add_api_route("/wrapping/{x}", read, route_class_override=Wrapping)
    custom.get("/plain")(read)
    custom.add_route("/foreign", foreign)
    nested.include_router(plain, prefix="/nested")
    nested.include_router(custom)
    handling = framework.APIRouter(route_class=Handling)
    handling.get("/only/{x}")(read)
    app.add_api_route("/direct/{x}", read)
    app.router.add_api_route("/own/{x}", read, route_class_override=Route)
    app.router.add_api_route("/ownhandling/{x}", read, route_class_override=Handling)
    app.include_router(handling, prefix="/h")
    app.include_router(plain, prefix="/p")
    app.include_router(nested, prefix="/n")
    app.add_api_route("/last", read)
    return app


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/direct/1", "/own/1", "/ownhandling/1", "/h/only/1", "/p/before", "/p/route/1", "/p/handling/1",
        "/p/wrapping/1", "/n/nested/before", "/n/nested/route/1", "/n/nested/handling/1", "/n/nested/wrapping/1",
        "/n/custom/plain", "/n/custom/foreign", "/n/custom/plain/", "/p/route/1/", "/last", "/nowhere", "/nowhere/",
    ],
)  # fmt: skip
def test_routes_and_routers_are_asked_in_fastapis_order_and_number(path: str, method: str) -> None:
    """Classes of routes count, cache, and refuse; a second question to one is a second entry in its log."""
    seen = []
    for framework in FRAMEWORKS:
        log: list[Any] = []
        app = asked(framework, log)
        # FastAPI makes handlers of included routes as it comes to them, we before the first request.
        list(framework.routing.iter_route_contexts(app.routes))
        client = TestClient(app)
        answers = [client.request(method, path, follow_redirects=False) for _ in range(2)]
        seen.append((log, [(answer.status_code, answer.text, answer.headers.get("allow")) for answer in answers]))

    assert seen[1] == seen[0]


@both
def test_a_handle_that_is_wrapped_on_the_class_gets_original_routes(framework: Any) -> None:
    """ddtrace wraps it so, and reads the path of the whole from the context in the scope."""
    seen = []
    cls = framework.routing.APIRoute
    original = cls.handle

    async def wrapped(self: Any, scope: Any, receive: Any, send: Any) -> None:
        context = scope.get("fastapi", {}).get("effective_route_context")
        seen.append((self.path, context and context.path_format))
        await original(self, scope, receive, send)

    app = tree(framework)
    cls.handle = wrapped
    try:
        answers = [TestClient(app).get(path).status_code for path in ("/top/at/P/inner/item/3", "/last")]
    finally:
        cls.handle = original

    assert answers == [200, 200]
    assert seen == [("/inner/item/{x:int}", "/top/at/{place}/inner/item/{x}"), ("/last", None)]


def test_a_router_is_an_app_by_itself() -> None:
    """It is mounted, or served in a test; FastAPI's needs an application around it."""
    router = slipstream.APIRouter(prefix="/own")
    router.get("/x/{number}")(lambda number: number)

    assert TestClient(router).get("/own/x/3").json() == "3"
    assert TestClient(Mount("/m", router)).get("/m/own/x/3").json() == "3"


def test_paths_are_asked_of_classes_as_fastapi_asks_them() -> None:
    """Routes and routers may build paths themselves; under an inclusion the context does."""
    seen = []
    for framework in FRAMEWORKS:
        log: list[str] = []

        class Named(framework.routing.APIRoute):
            def url_path_for(self, name: str, /, **params: Any) -> Any:
                log.append(f"{self.path} {name}")  # noqa: B023 - called within this turn of the loop
                return super().url_path_for(name, **params)

        class Router(framework.APIRouter):
            def url_path_for(self, name: str, /, **params: Any) -> Any:
                log.append(f"router {name}")  # noqa: B023 - called within this turn of the loop
                return super().url_path_for(name, **params)

        router, app = Router(route_class=Named), framework.FastAPI(openapi_url=None)
        router.add_api_route("/inner/{x}", first, name="inner")
        app.router.add_api_route("/own/{x}", first, name="own", route_class_override=Named)
        app.include_router(router, prefix="/p")
        app.router.add_api_route("/last/{x}", first, name="last", route_class_override=Named)
        paths = [str(app.url_path_for(name, x="1")) for name in ("own", "inner", "last")]
        seen.append((paths, str(router.url_path_for("inner", x="2")), log))

    assert seen[1] == seen[0]


@both
def test_plain_routes_are_found_as_starlettes(framework: Any) -> None:
    """`matches` of Starlette's class serves a path operation too: instrumentations call it so."""
    app = tree(framework)
    scope = {"type": "http", "method": "GET", "path": "/last", "root_path": "", "headers": []}

    assert Route.matches(app.routes[-1], scope)[0] == Match.FULL
    assert WebSocketRoute.matches(app.routes[-1], scope)[0] == Match.NONE
