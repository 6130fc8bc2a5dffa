"""Applications: the stack around their routes, what happens to exceptions, lifespans, documents, memory."""

import asyncio
import gc
import linecache
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import fastapi
import fastapi.exceptions
import fastapi.testclient
import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse

import slipstream
import slipstream.exceptions
from slipstream.testclient import TestClient

both = pytest.mark.parametrize("framework", [fastapi, slipstream])


def answer() -> str:
    return "answer"


class Noting:
    """ASGI middleware that notes its name for each request."""

    def __init__(self, app: Any, name: str, log: list[str]) -> None:
        self.app, self.name, self.log = app, name, log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.log.append(self.name)
        await self.app(scope, receive, send)


# --- the stack


@both
def test_middleware_runs_in_starlettes_order(framework: Any) -> None:
    """The list at construction outermost first, what is added later around it."""
    log: list[str] = []
    app = framework.FastAPI(middleware=[Middleware(Noting, "a", log), Middleware(Noting, name="b", log=log)])
    app.add_middleware(Noting, "c", log)
    app.get("/x")(answer)

    assert TestClient(app).get("/x").json() == "answer"
    assert log == ["c", "a", "b"]


@both
def test_middleware_cannot_be_added_after_the_start(framework: Any) -> None:
    """The stack is built; what is added would never run."""
    app = framework.FastAPI()
    app.get("/x")(answer)
    TestClient(app).get("/x")

    with pytest.raises(RuntimeError, match="Cannot add middleware after an application has started"):
        app.add_middleware(Noting, "late", [])
    with pytest.raises(RuntimeError, match="Cannot add middleware after an application has started"):
        app.middleware("http")(answer)


@both
def test_a_subclass_may_stand_before_its_stack(framework: Any) -> None:
    """`__call__` sees each scope; `build_middleware_stack` is called once, whatever else changes."""
    log: list[str] = []

    class App(framework.FastAPI):  # type: ignore[misc]
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            log.append(scope["type"])
            await super().__call__(scope, receive, send)

        def build_middleware_stack(self) -> Any:
            log.append("build")
            return Noting(super().build_middleware_stack(), "outermost", log)

    app = App()
    app.get("/x")(answer)
    with TestClient(app) as client:
        assert client.get("/x").json() == "answer"
        app.get("/y")(answer)
        assert client.get("/y").json() == "answer"

    assert log == ["lifespan", "build", "outermost", "http", "outermost", "http", "outermost"]


@both
def test_an_overridden_stack_that_adds_nothing_is_built_once(framework: Any) -> None:
    """It may have effects of its own."""
    built = []

    class App(framework.FastAPI):  # type: ignore[misc]
        def build_middleware_stack(self) -> Any:
            built.append(1)
            return super().build_middleware_stack()

    app = App()
    app.get("/x")(answer)
    client = TestClient(app)
    client.get("/x")
    app.get("/y")(answer)

    assert client.get("/y").json() == "answer"
    assert built == [1]


@both
def test_instrumentation_may_replace_the_function_that_builds_the_stack(framework: Any) -> None:
    """Tracing packages do it on the instance, before the first request."""
    log: list[str] = []
    app = framework.FastAPI()
    app.get("/x")(answer)
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Noting(build(), "traced", log)

    assert TestClient(app).get("/x").json() == "answer"
    assert log == ["traced"]


@both
@pytest.mark.parametrize("middleware", [(), (Middleware(Noting, "own", []),)], ids=["bare", "with middleware"])
def test_instrumentation_may_replace_the_stack_of_a_running_application(framework: Any, middleware: Any) -> None:
    """Tracing switched on late wraps `middleware_stack`, or sets it to None to have it built again."""
    log: list[str] = []
    app = framework.FastAPI(middleware=middleware)
    app.get("/x")(answer)
    client = TestClient(app)
    client.get("/x")

    app.middleware_stack = Noting(app.middleware_stack, "late", log)
    assert client.get("/x").json() == "answer"
    app.get("/y")(answer)
    assert client.get("/y").json() == "answer"
    assert log == ["late", "late"]

    app.middleware_stack = None
    assert client.get("/x").json() == "answer"
    assert log == ["late", "late"]


@pytest.mark.parametrize("middleware", [(), (Middleware(Noting, "own", []),)], ids=["bare", "with middleware"])
def test_a_scope_names_the_router_and_the_application(middleware: Any) -> None:
    """`request.url_for` and packages look for them; a mounted application's router is not the one to build from."""
    app, child = slipstream.FastAPI(middleware=middleware), slipstream.FastAPI(middleware=middleware)
    app.mount("/child", child)

    def look(request: Request) -> list[Any]:
        return [request.scope["router"] is app.router, request.scope["app"] is app, str(request.url_for("look"))]

    for each in (app, child):
        each.get("/look")(look)

    client = TestClient(app)
    assert client.get("/look").json() == [True, True, "http://testserver/child/look"]
    assert client.get("/child/look").json() == [True, False, "http://testserver/child/look"]


# --- exceptions


class Trouble(Exception):
    """Raised by an endpoint."""


class DeepTrouble(Trouble):
    """A kind of it."""


def told(name: str) -> Callable[[Any, Exception], Any]:
    async def handler(request: Any, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"{name} {type(exc).__name__}", status_code=getattr(exc, "status_code", 499))

    return handler


@both
def test_the_nearest_handler_answers(framework: Any) -> None:
    """By status first, then by class, the nearest base first; 500 is the last resort."""

    class Teapot(framework.HTTPException):  # type: ignore[misc]
        pass

    raised = [
        Trouble(), DeepTrouble(), Teapot(418), Teapot(404), framework.HTTPException(404), framework.HTTPException(409),
        ValueError(), framework.HTTPException(500),
    ]  # fmt: skip
    app = framework.FastAPI(exception_handlers={Trouble: told("trouble")})
    app.exception_handler(404)(told("404"))
    app.exception_handler(framework.HTTPException)(told("http"))
    app.exception_handler(Teapot)(told("teapot"))
    app.exception_handler(500)(told("500"))

    @app.get("/{number}")
    def endpoint(number: int) -> None:
        raise raised[number]

    client = TestClient(app, raise_server_exceptions=False)

    assert [client.get(f"/{number}").text for number in range(len(raised))] == [
        "trouble Trouble", "trouble DeepTrouble", "teapot Teapot", "404 Teapot", "404 HTTPException",
        "http HTTPException", "500 ValueError", "http HTTPException",
    ]  # fmt: skip
    assert client.get("/no/such/path").text == "404 HTTPException"
    assert client.post("/1").status_code == 405


@both
@pytest.mark.parametrize("with_middleware", [False, True])
def test_what_nobody_handles_is_a_500_that_tells_nothing(framework: Any, with_middleware: bool) -> None:
    """Exception text may hold secrets; the server still gets the exception, to log it."""
    app = framework.FastAPI(middleware=[Middleware(Noting, "own", [])] if with_middleware else [])

    @app.get("/x")
    def endpoint() -> None:
        raise Trouble("password")

    response = TestClient(app, raise_server_exceptions=False).get("/x")

    assert (response.status_code, response.text) == (500, "Internal Server Error")
    with pytest.raises(Trouble):
        TestClient(app).get("/x")


@both
@pytest.mark.parametrize("with_middleware", [False, True])
@pytest.mark.parametrize(("accept", "kind"), [("text/html", "text/html"), ("*/*", "text/plain")])
def test_debug_shows_the_traceback(framework: Any, with_middleware: bool, accept: str, kind: str) -> None:
    """As a page where the client reads HTML, with the generated lines in it."""
    app = framework.FastAPI(debug=True, middleware=[Middleware(Noting, "own", [])] if with_middleware else [])

    @app.get("/x")
    def endpoint() -> None:
        raise Trouble("the reason")

    response = TestClient(app, raise_server_exceptions=False).get("/x", headers={"accept": accept})

    assert response.status_code == 500
    assert response.headers["content-type"].startswith(kind)
    assert "the reason" in response.text
    assert response.text.count("Trouble(") >= 1


@both
def test_a_handler_for_exceptions_that_are_none_is_refused(framework: Any) -> None:
    """It would never be found."""
    app = framework.FastAPI()
    app.exception_handler("404")(told("text"))

    with pytest.raises((AssertionError, TypeError)):
        TestClient(app).get("/x")


def test_exceptions_in_function_middleware_find_their_handlers() -> None:
    """FastAPI answers them with a 500, which surprises everyone who checks a token in middleware."""
    app = slipstream.FastAPI()
    app.exception_handler(Trouble)(told("trouble"))
    app.get("/x")(answer)

    @app.middleware("http")
    async def check(request: Request, call_next: Any) -> Any:
        if "token" not in request.headers:
            raise slipstream.HTTPException(401, "no token")
        if request.headers["token"] == "bad":
            raise Trouble
        return await call_next(request)

    client = TestClient(app)

    assert (client.get("/x").status_code, client.get("/x").json()) == (401, {"detail": "no token"})
    assert client.get("/x", headers={"token": "bad"}).text == "trouble Trouble"
    assert client.get("/x", headers={"token": "good"}).json() == "answer"


@pytest.mark.parametrize("with_middleware", [False, True])
def test_a_handler_registered_late_answers_with_and_without_middleware(with_middleware: bool) -> None:
    """Whether there is middleware must not decide whether a plug-in's handler works."""
    app = slipstream.FastAPI(middleware=[Middleware(Noting, "own", [])] if with_middleware else [])

    @app.get("/x")
    def endpoint() -> None:
        raise Trouble

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/x").status_code == 500

    app.exception_handler(Trouble)(told("late"))

    assert client.get("/x").text == "late Trouble"


# --- start and end


@both
def test_state_of_nested_lifespans_reaches_requests(framework: Any) -> None:
    """The outer one starts first, stops last, and wins where both name a key."""
    log: list[str] = []

    def life(name: str, **state: Any) -> Any:
        @asynccontextmanager
        async def context(app: Any) -> AsyncGenerator[dict[str, Any]]:
            log.append(f"start {name} {type(app).__name__}")
            yield state
            log.append(f"stop {name}")

        return context

    router = framework.APIRouter(lifespan=life("inner", a="inner", b="inner"))

    @router.get("/x")
    def endpoint(request: framework.Request) -> list[str]:
        return [request.state.a, request.state.b]

    app = framework.FastAPI(lifespan=life("outer", a="outer"))
    app.include_router(router)
    with TestClient(app) as client:
        assert client.get("/x").json() == ["outer", "inner"]

    assert log == ["start outer FastAPI", "start inner FastAPI", "stop inner", "stop outer"]


def test_events_run_once_each_in_order() -> None:
    """FastAPI 0.165 runs those of an included router twice; the application's come first here, whenever added."""
    log: list[str] = []
    app = slipstream.FastAPI(on_startup=[lambda: log.append("start 0")], on_shutdown=[lambda: log.append("stop 0")])
    router = slipstream.APIRouter(on_startup=[lambda: log.append("router start")])
    with pytest.warns(DeprecationWarning, match="on_event is deprecated"):
        router.on_event("shutdown")(lambda: log.append("router stop"))
    app.include_router(router)
    with pytest.warns(DeprecationWarning, match="on_event is deprecated"):

        @app.on_event("startup")
        async def start() -> None:
            log.append("start 1")

    app.add_event_handler("shutdown", lambda: log.append("stop 1"))

    for _ in range(2):
        with TestClient(app):
            log.append("serving")

    assert log == ["start 0", "start 1", "router start", "serving", "router stop", "stop 0", "stop 1"] * 2


@both
def test_events_are_not_called_beside_a_lifespan(framework: Any) -> None:
    """Starlette's rule: one or the other."""
    log: list[str] = []

    @asynccontextmanager
    async def life(app: Any) -> AsyncGenerator[None]:
        log.append("start")
        yield
        log.append("stop")

    app = framework.FastAPI(lifespan=life, on_startup=[lambda: log.append("event")])
    with TestClient(app):
        pass

    assert log == ["start", "stop"]


def test_an_event_that_does_not_exist_is_refused() -> None:
    """A misspelt one would never be called."""
    with pytest.raises(AssertionError, match="the events are 'startup' and 'shutdown', not 'begin'"):
        slipstream.APIRouter().add_event_handler("begin", answer)


# --- root path and documents


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
@pytest.mark.parametrize("server", ["", "/z", "/z/"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"root_path": "/r"},
        {"root_path": "/r", "root_path_in_servers": False},
        {"root_path": "/r", "servers": [{"url": "https://s.example"}, {"url": "/r"}]},
        {"servers": [{"url": "https://s.example"}]},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_the_root_path_is_where_fastapi_puts_it(options: dict[str, Any], server: str) -> None:
    """In URLs, in the servers of the document, in the addresses on the documentation pages."""
    seen: list[Any] = []
    for framework in (fastapi, slipstream):
        app = framework.FastAPI(**options)
        child = framework.FastAPI()
        app.mount("/child", child)

        def look(request: Request) -> list[str]:
            return [request.scope["root_path"], str(request.url), str(request.url_for("look"))]

        app.get("/x", name="look")(look)
        child.get("/x")(look)
        client = TestClient(app, root_path=server)
        seen.append(
            [
                *(client.get(path).text for path in ("/x", "/r/x", "/child/x", "/openapi.json", "/child/openapi.json")),
                app.openapi().get("servers"),
                *(
                    f"{prefix}/openapi.json" in client.get(page).text
                    for prefix in ("", "/z", "/r", "/child", "/z/child")
                    for page in ("/docs", "/redoc", "/child/docs")
                ),
            ]
        )

    assert seen[1] == seen[0]


def test_the_deprecation_of_root_path_points_at_the_caller() -> None:
    """The line to change is the user's."""
    with pytest.warns(slipstream.exceptions.FastAPIDeprecationWarning) as caught:
        slipstream.FastAPI(root_path="/r")

    assert caught[0].filename == __file__


@both
def test_a_document_needs_a_title_and_a_version(framework: Any) -> None:
    """OpenAPI requires both; without a document nobody asks."""
    for missing in ("title", "version"):
        with pytest.raises(AssertionError, match=f"A {missing} must be provided for OpenAPI"):
            framework.FastAPI(**{missing: ""})
    framework.FastAPI(title="", version="", openapi_url=None)


def test_the_document_is_made_anew_when_routes_have_changed() -> None:
    """The same object until then, for programs change it in place."""
    app = slipstream.FastAPI()
    first = app.openapi()
    assert app.openapi() is first

    app.get("/late")(answer)

    assert list(app.openapi()["paths"]) == ["/late"]


# --- overrides


@both
def test_overrides_reach_every_depth_and_every_kind(framework: Any) -> None:
    """Classes, `yield` dependencies, replacements with dependencies and parameters of their own."""
    log: list[str] = []

    class Settings:
        def __init__(self, size: int = 1) -> None:
            self.text = f"settings {size}"

    class Fake:
        def __init__(self, other: int = 2) -> None:
            self.text = f"fake {other}"

    def inner() -> str:
        return "inner"

    def outer(inner: str = framework.Depends(inner)) -> str:
        return f"outer {inner}"

    def other_inner(q: str = "default") -> str:
        return f"other {q}"

    def yielding(inner: str = framework.Depends(inner)) -> Any:
        log.append("open")
        yield f"yielded {inner}"
        log.append("close")

    app = framework.FastAPI()

    @app.get("/x")
    def endpoint(
        settings: Settings = framework.Depends(),  # type: ignore[assignment]
        outer: str = framework.Depends(outer),
    ) -> list[str]:
        return [settings.text, outer]

    client = TestClient(app)

    def seen(**overrides: Any) -> Any:
        app.dependency_overrides = dict(overrides["of"])
        return client.get("/x?size=5&other=6&q=query").json()

    assert seen(of={}) == ["settings 5", "outer inner"]
    assert seen(of={Settings: Fake}) == ["fake 6", "outer inner"]
    assert seen(of={inner: other_inner}) == ["settings 5", "outer other query"]
    assert seen(of={outer: yielding, inner: other_inner}) == ["settings 5", "yielded other query"]
    assert log == ["open", "close"]
    assert seen(of={outer: inner, inner: other_inner}) == ["settings 5", "inner"]


@both
def test_an_override_may_read_the_request_as_any_dependency(framework: Any) -> None:
    """What it asks for is checked, but not documented."""

    def user() -> str:
        return "user"

    def fake(number: int, token: str = framework.Header()) -> str:
        return f"{number} {token}"

    app = framework.FastAPI()

    @app.get("/x/{number}")
    def endpoint(user: str = framework.Depends(user)) -> str:
        return user

    app.dependency_overrides[user] = fake
    client = TestClient(app)

    assert client.get("/x/3", headers={"token": "t"}).json() == "3 t"
    assert [error["loc"] for error in client.get("/x/3").json()["detail"]] == [["header", "token"]]
    assert "header" not in str(app.openapi()["paths"])


# --- memory


def test_an_application_that_nobody_holds_is_collected() -> None:
    """Test suites make thousands; a cache that keeps one keeps all that it refers to."""

    def make() -> list[weakref.ref[Any]]:
        app, router = slipstream.FastAPI(), slipstream.APIRouter()

        def dependency() -> str:
            return app.title

        @router.get("/collected/{number}")
        def endpoint(number: int, title: str = slipstream.Depends(dependency)) -> str:
            return title

        @app.middleware("http")
        async def pass_on(request: Request, call_next: Any) -> Any:
            return await call_next(request)

        app.include_router(router, prefix="/p")
        app.dependency_overrides[dependency] = lambda: "override"
        with TestClient(app) as client:
            assert client.get("/p/collected/1").json() == "override"
            client.get("/openapi.json")
        return [weakref.ref(each) for each in (app, router, endpoint, dependency)]

    references = make()
    gc.collect()
    lines = len(linecache.cache)
    for _ in range(5):
        references += make()
    gc.collect()

    assert [reference() for reference in references] == [None] * len(references)
    assert len(linecache.cache) == lines


def test_toggling_overrides_does_not_fill_memory() -> None:
    """A suite of a thousand tests sets a new lambda in each."""

    def user() -> str:
        return "user"

    app, router = slipstream.FastAPI(), slipstream.APIRouter()

    @router.get("/toggled")
    async def endpoint(user: str = slipstream.Depends(user)) -> str:
        return user

    app.include_router(router, prefix="/p")
    kept: weakref.WeakSet[Any] = weakref.WeakSet()

    async def toggle(times: int) -> None:
        for number in range(times):

            async def fake(number: int = number) -> str:
                return f"fake {number}"

            kept.add(fake)
            app.dependency_overrides[user] = fake
            assert await body(app, "/p/toggled", f"number={number}") == f'"fake {number}"'.encode()
            app.dependency_overrides.clear()
            assert await body(app, "/p/toggled") == b'"user"'

    asyncio.run(toggle(1000))
    gc.collect()

    assert len([name for name in linecache.cache if "/toggled" in name]) <= 32
    assert len(kept) <= 32


async def body(app: Any, path: str, query: str = "") -> bytes:
    """Send one GET and return the body."""
    sent = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(b"host", b"test")], "root_path": "", "scheme": "http", "server": ("test", 80), "client": None,
        "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, send)
    return b"".join(message.get("body", b"") for message in sent)
