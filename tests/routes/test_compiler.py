"""From a plan to a running handler: compiled once whoever comes first, kept per set of overrides, wrapped on demand."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import fastapi
import fastapi.exceptions
import fastapi.routing
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

import slipstream
import slipstream.exceptions
import slipstream.routing
from slipstream import APIRouter, Depends, FastAPI
from slipstream._engine import compile
from slipstream.testclient import TestClient

both = pytest.mark.parametrize("framework", [fastapi, slipstream])


def user() -> str:
    return "user"


def other() -> str:
    return "other"


async def status(app: Any, path: str) -> int:
    """Send one GET and return its status."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "root_path": "",
        "scheme": "http", "server": ("test", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"]  # type: ignore[no-any-return]


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans that were compiled, in order."""
    compiled: list[Any] = []
    compile_plan = compile.compile_plan

    def counting(plan: Any, *arguments: Any, **options: Any) -> Any:
        compiled.append(plan)
        return compile_plan(plan, *arguments, **options)

    monkeypatch.setattr(compile, "compile_plan", counting)
    return compiled


def application() -> FastAPI:
    app, router = FastAPI(openapi_url=None), APIRouter()

    @router.get("/x")
    async def endpoint(user: str = Depends(user)) -> str:
        return user

    app.include_router(router, prefix="/p")
    return app


def test_nothing_is_compiled_before_it_is_needed(compilations: list[Any]) -> None:
    """An application of a thousand routes starts at once; its document needs no handler."""
    app = application()
    app.openapi()
    assert compilations == []

    assert TestClient(app).get("/p/x").json() == "user"
    assert len(compilations) == 1


@pytest.mark.anyio
async def test_many_tasks_that_come_first_share_one_handler(compilations: list[Any]) -> None:
    """A process under load starts with many requests at once."""
    app = application()

    assert await asyncio.gather(*(status(app, "/p/x") for _ in range(50))) == [200] * 50

    assert len(compilations) == 1


def test_many_threads_that_come_first_share_one_handler(compilations: list[Any]) -> None:
    """Several loops in several threads, as test clients make them, serve one application."""
    app, barrier, seen = application(), threading.Barrier(8), []

    def run() -> None:
        barrier.wait()
        seen.append(asyncio.run(status(app, "/p/x")))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [200] * 8
    assert len(compilations) == 1


def test_threads_that_change_routes_and_overrides_break_no_request() -> None:
    """Every request gets an answer of before the change or of after it."""
    app, number_of_changes = application(), 100

    def change() -> None:
        for number in range(number_of_changes):
            app.dependency_overrides[user] = other
            if number % 10 == 0:
                app.add_api_route(f"/late/{number}", other)
            app.dependency_overrides.clear()

    thread = threading.Thread(target=change)
    client = TestClient(app)
    thread.start()
    seen = {client.get("/p/x").json() for _ in range(20)}
    thread.join()

    assert seen <= {"user", "other"}
    assert client.get("/p/x").json() == "user"
    assert client.get("/late/90").json() == "other"


class Hooked(dict[Any, Any]):
    """No overrides; runs a function when it is looked at."""

    def __init__(self, hook: Callable[[], object]) -> None:
        self.hook = hook

    def __len__(self) -> int:
        self.hook()
        return 0


@pytest.mark.parametrize("dialect", [None, "direct"])
def test_a_tree_that_another_thread_changes_meanwhile_is_served_as_it_is_then(dialect: Any) -> None:
    """A package that adds a dependency, such as one that guards a route, must not lose it to a request on its way."""
    app = application()
    (route,) = slipstream.routing.iter_route_contexts(app.routes)
    extra = slipstream.routing.APIRoute("/extra", user, dependencies=[Depends(other)]).dependant.dependencies

    def change() -> None:
        route.dependant.dependencies.extend(extra)
        assert route.plan.root.dependencies[-1].call is other

    def change_in_a_thread() -> None:
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()

    on_its_way = route._compiler.compiled(Hooked(change_in_a_thread), dialect)
    later = route._compiler.compiled({}, dialect)

    assert ["other" in compiled.source.text for compiled in (on_its_way, later)] == [False, True]


def test_handlers_are_kept_for_sets_of_overrides_that_come_again(compilations: list[Any]) -> None:
    """Tests set the same stand-ins again and again."""
    app = application()
    client = TestClient(app)

    for _ in range(3):
        app.dependency_overrides[user] = other
        assert client.get("/p/x").json() == "other"
        app.dependency_overrides.clear()
        assert client.get("/p/x").json() == "user"

    assert len(compilations) == 2


def test_overrides_that_do_not_touch_a_route_leave_its_handler(compilations: list[Any]) -> None:
    """Most overrides concern a few routes."""
    app = application()
    client = TestClient(app)
    client.get("/p/x")

    app.dependency_overrides[other] = user
    client.get("/p/x")

    assert len(compilations) == 1


def test_one_override_of_several_counts_only_where_it_is_called(compilations: list[Any]) -> None:
    """A suite replaces the user once and everything else in each test anew."""
    app = application()
    client = TestClient(app)

    for _ in range(3):
        app.dependency_overrides = {user: other, status: lambda: "nobody calls it"}
        assert client.get("/p/x").json() == "other"

    assert len(compilations) == 1


def test_a_route_shows_its_source_under_the_overrides_that_hold() -> None:
    """`explain` in a test says what the test runs."""
    app = application()
    (route,) = slipstream.routing.iter_route_contexts(app.routes)

    plain = route.source
    app.dependency_overrides[user] = other

    assert "# dependency user" in plain
    assert "# dependency other" in route.source
    assert route.plan.root.dependencies[0].call is user


@pytest.mark.anyio
async def test_a_route_is_an_app_of_its_own() -> None:
    """`route.app` serves without a router, under the overrides of its provider."""
    app = application()
    (route,) = slipstream.routing.iter_route_contexts(app.routes)

    assert await status(route.app, "/anything") == 200


# --- classes of routes that wrap the handler


def wrapping(framework: Any, log: list[Any]) -> Any:
    """A class of routes with its own Request, which counts, catches, and marks responses."""

    class Twos(framework.Request):  # type: ignore[misc]
        async def body(self) -> bytes:
            if not hasattr(self, "_body"):
                self._body = (await super().body()).replace(b"1", b"2")
            return self._body  # type: ignore[no-any-return]

    class Route(framework.routing.APIRoute):  # type: ignore[misc]
        def get_route_handler(self) -> Callable[[Request], Any]:
            original = super().get_route_handler()

            async def handler(request: Request) -> Any:
                log.append("in")
                try:
                    response = await original(Twos(request.scope, request.receive))
                except framework.exceptions.RequestValidationError as exc:
                    raise framework.HTTPException(499, f"{len(exc.errors())} errors in {exc.body}") from exc
                except LookupError:
                    response = PlainTextResponse("caught", status_code=410)
                log.append(response.status_code)
                response.headers["x-wrapped"] = "yes"
                return response

            return handler

    return Route


@both
@pytest.mark.parametrize("prefix", ["", "/p"])
@pytest.mark.parametrize("override", [False, True])
def test_wrapped_handlers_see_what_fastapis_see(framework: Any, prefix: str, override: bool) -> None:
    """Custom requests, responses, exceptions, `yield` dependencies, streams, background tasks, overrides."""
    log: list[Any] = []

    async def opened() -> AsyncGenerator[int]:
        log.append("open")
        try:
            yield 1
        except BaseException as exc:
            log.append(type(exc).__name__)
            raise
        finally:
            log.append("close")

    def stand_in() -> Generator[int]:
        log.append("open")
        yield 2
        log.append("close")

    depends = framework.Depends(opened)
    router = framework.APIRouter(route_class=wrapping(framework, log))

    @router.post("/body")
    async def body(values: dict[str, int], opened: int = depends) -> Any:
        log.append("endpoint")
        return [values, opened]

    @router.get("/lookup")
    async def lookup(opened: int = depends) -> None:
        raise LookupError

    @router.get("/http")
    def http(opened: int = depends) -> None:
        raise framework.HTTPException(418)

    @router.get("/background")
    async def background(tasks: framework.BackgroundTasks, opened: int = depends) -> int:
        tasks.add_task(log.append, "background")
        return opened

    @router.get("/stream")
    def stream(opened: int = depends) -> Any:
        yield opened
        log.append("streamed")
        yield opened

    app = framework.FastAPI()
    app.include_router(router, prefix=prefix)
    if override:
        app.dependency_overrides[opened] = stand_in
    client = TestClient(app)

    def seen(method: str, path: str, json: Any = None) -> Any:
        log.clear()
        response = client.request(method, prefix + path, json=json)
        return response.status_code, response.headers.get("x-wrapped"), response.text, list(log)

    value = 2 if override else 1
    assert seen("POST", "/body", {"a": 1}) == (
        200, "yes", f'[{{"a":2}},{value}]', ["in", "open", "endpoint", 200, "close"]
    )  # fmt: skip
    assert seen("POST", "/body", [1])[:3] == (499, None, '{"detail":"1 errors in [2]"}')
    assert seen("GET", "/lookup") == (410, "yes", "caught", ["in", "open", 410, "close"])  # not told: it was caught
    assert seen("GET", "/http")[:2] == (418, None)
    assert seen("GET", "/background")[3] == ["in", "open", 200, "background", "close"]
    assert seen("GET", "/stream") == (200, "yes", f"{value}\n{value}\n", ["in", "open", 200, "streamed", "close"])


@both
def test_a_handler_that_is_no_coroutine_function_runs_in_a_thread(framework: Any) -> None:
    """Overriding methods need not be async."""
    names: list[str] = []

    class Route(framework.routing.APIRoute):  # type: ignore[misc]
        def get_route_handler(self) -> Any:
            def handler(request: Request) -> PlainTextResponse:
                names.append(threading.current_thread().name)
                return PlainTextResponse("sync")

            return handler

    app = framework.FastAPI()
    app.router.route_class = Route
    app.get("/x")(user)

    assert TestClient(app).get("/x").text == "sync"


@both
def test_a_handler_set_on_one_route_wraps_that_one_alone(framework: Any) -> None:
    """The rest of the class pays nothing."""
    app = framework.FastAPI()
    app.get("/x")(user)

    class Route(framework.routing.APIRoute):  # type: ignore[misc]
        async def wrapped(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("wrapped")

        def get_route_handler(self) -> Any:
            return self.wrapped

    app.router.add_api_route("/y", user, route_class_override=Route)
    client = TestClient(app)

    assert (client.get("/x").json(), client.get("/y").text) == ("user", "wrapped")


def test_registering_makes_no_tree_for_packages() -> None:
    app = FastAPI()

    @app.get("/items/{item_id}")
    def read(item_id: int) -> int:
        return item_id

    route = app.routes[-1]
    assert isinstance(route, slipstream.routing.APIRoute)
    assert route._compiler._dependant is None  # only a tree that was asked for is looked at for changes
    assert route.dependant is route._compiler._dependant


def test_starting_makes_no_tree_for_packages_of_a_mounted_application() -> None:
    inner, app = FastAPI(), FastAPI()

    @inner.get("/")
    def read(name: str = Depends(user)) -> str:
        return name

    app.mount("/inner", inner)
    app.dependency_overrides[user] = other
    with pytest.warns(slipstream.exceptions.DefinitionWarning, match="mounted at '/inner'"), TestClient(app) as client:
        assert client.get("/inner/").json() == "user"

    route = inner.routes[-1]
    assert isinstance(route, slipstream.routing.APIRoute)
    assert route._compiler._dependant is None
