"""The text that calls dependencies and the endpoint."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated, Any

import anyio
import pytest
from opentelemetry.sdk.trace import TracerProvider

from slipstream import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response, Security
from slipstream.routing import APIRoute
from slipstream.security import SecurityScopes
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]


def test_a_dependency_with_errors_is_not_called_and_those_beside_it_are(serve: Serve) -> None:
    """It must not run on half of its values; the others may have errors of their own to tell."""
    ran = []

    async def wrong(a: int) -> None:
        ran.append("wrong")

    async def needs_it(value: Annotated[None, Depends(wrong)]) -> None:
        ran.append("needs it")

    async def beside(b: int) -> None:
        ran.append("beside")

    async def endpoint(x: Annotated[None, Depends(needs_it)], y: Annotated[None, Depends(beside)]) -> None:
        ran.append("endpoint")

    response = serve(endpoint).post("/?a=x&b=1")

    assert response.status_code == 422
    assert ran == ["beside"]


def test_errors_of_a_shared_dependency_are_told_at_each_place(serve: Serve) -> None:
    """As in FastAPI, where it is asked again."""

    async def shared(a: int) -> int:
        return a

    async def endpoint(x: Annotated[int, Depends(shared)], y: Annotated[int, Depends(shared)]) -> list[int]:
        return [x, y]

    client = serve(endpoint)
    assert client.post("/?a=1").json() == [1, 1]
    assert [error["loc"] for error in client.post("/").json()["detail"]] == [["query", "a"]] * 2


class Adder:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, value: int) -> int:
        return value + self.by


async def add(value: int, by: int) -> int:
    return value + by


@pytest.mark.parametrize("dependency", [Adder(2), partial(add, by=2)], ids=["object", "partial"])
def test_any_callable_is_a_dependency(serve: Serve, dependency: Any) -> None:
    """Objects and partials come under one class's or no name at all."""

    async def endpoint(x: Annotated[int, Depends(dependency)]) -> int:
        return x

    assert serve(endpoint).post("/?value=1").json() == 3


def test_two_callables_of_one_name_are_two(serve: Serve) -> None:
    """Every module has its `get`."""

    def make(result: int) -> Any:
        async def get() -> int:
            return result

        return get

    async def endpoint(x: Annotated[int, Depends(make(1))], y: Annotated[int, Depends(make(2))]) -> list[int]:
        return [x, y]

    assert serve(endpoint).post("/").json() == [1, 2]


def test_what_blocks_runs_in_a_thread(serve: Serve) -> None:
    """And the loop goes on."""

    def dependency() -> Iterator[int]:
        yield threading.get_ident()

    async def loop_thread() -> int:
        return threading.get_ident()

    def endpoint(x: Annotated[int, Depends(dependency)], loop: Annotated[int, Depends(loop_thread)]) -> list[bool]:
        return [x == loop, threading.get_ident() == loop]

    assert serve(endpoint).post("/").json() == [False, False]


def test_objects_of_the_request_are_the_same_for_all(serve: Serve) -> None:
    """A header set in a dependency is set on the response; scopes are those asked for above."""

    async def dependency(response: Response, request: Request, tasks: BackgroundTasks, scopes: SecurityScopes) -> Any:
        response.headers["x-scopes"] = scopes.scope_str
        return request, tasks

    async def endpoint(
        request: Request, tasks: BackgroundTasks, seen: Annotated[Any, Security(dependency, scopes=["a", "b"])]
    ) -> list[bool]:
        return [seen[0] is request, seen[1] is tasks]

    response = serve(endpoint).post("/")

    assert response.json() == [True, True]
    assert response.headers["x-scopes"] == "a b"


@pytest.mark.parametrize("fails", [False, True])
def test_a_place_under_a_bound_is_given_back(serve: Serve, fails: bool) -> None:
    """Else the next request would wait for ever; for calls, and for as long as a `yield` dependency is open."""

    async def call() -> None:
        if fails:
            raise HTTPException(418)

    async def opened() -> AsyncIterator[None]:
        if fails:
            raise HTTPException(418)
        yield

    async def first(x: Annotated[None, Depends(call, max_concurrency=1)]) -> None: ...
    async def second(x: Annotated[None, Depends(opened, max_concurrency=1)]) -> None: ...

    for endpoint in (first, second):
        client = serve(endpoint)
        assert [client.post("/").status_code for _ in range(3)] == [418 if fails else 200] * 3


class Wrapped(APIRoute):
    def get_route_handler(self) -> Callable[..., Any]:
        return super().get_route_handler()


async def plain_async(wanted: bool = False) -> AsyncIterator[int]:
    if wanted:
        yield 1


async def async_with_scope(wanted: bool = False) -> AsyncIterator[int]:
    with anyio.CancelScope():
        if wanted:
            yield 1


def blocking(wanted: bool = False) -> Iterator[int]:
    if wanted:
        yield 1


async def ask_directly(app: Any) -> None:
    """Send a request by the direct door."""
    scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "query_string": b"", "headers": []}

    async def nothing(*message: Any) -> Any: ...

    await app.serve_direct({**scope, "state": {}}, nothing, nothing, b"", nothing)


@pytest.mark.parametrize("dialect", ["asgi", "direct", "request", "websocket", "observed"])
@pytest.mark.parametrize("scope", ["function", "request"])
@pytest.mark.parametrize("dependency", [plain_async, async_with_scope, blocking])
@pytest.mark.parametrize("style", ["async", "sync"])
def test_a_dependency_that_does_not_yield_is_named(dialect: str, scope: Any, dependency: Any, style: str) -> None:
    """`StopAsyncIteration`, with no frame of the user's, would send nobody to the right line."""
    heard: list[str] = []
    app = FastAPI(
        telemetry={"tracer_provider": TracerProvider(shutdown_on_exit=False)} if dialect == "observed" else {}
    )
    router = APIRouter(route_class=Wrapped if dialect == "request" else APIRoute)

    async def outer() -> AsyncIterator[None]:
        try:
            yield
        except RuntimeError as error:
            heard.append(str(error))
            raise

    async def talk(a: Annotated[None, Depends(outer)], b: Annotated[int, Depends(dependency, scope=scope)]) -> None: ...

    def read(a: Annotated[None, Depends(outer)], b: Annotated[int, Depends(dependency, scope=scope)]) -> None: ...

    (router.websocket("/") if dialect == "websocket" else router.get("/"))(talk if style == "async" else read)
    app.include_router(router)
    client = TestClient(app)

    ask = {
        "websocket": client.websocket_connect("/").__enter__,
        "direct": partial(anyio.run, ask_directly, app),
    }.get(dialect, partial(client.get, "/"))
    with pytest.raises(RuntimeError) as caught:
        ask()

    name, line = dependency.__name__, dependency.__code__.co_firstlineno
    assert str(caught.value) == heard[0]
    assert heard[0].startswith(
        f"the dependency `{name}` did not yield for this request\n  at {__file__}:{line} in {name}\n"
    )
    assert caught.value.__cause__ is None
