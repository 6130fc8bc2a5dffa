"""Bounds on bodies, wherever the body is read: beneath mounts, in middleware, inside task groups."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount

from slipstream import APIRouter, Body, FastAPI

pytestmark = pytest.mark.anyio


async def echo(request: Request) -> Response:
    """Return the body."""
    return PlainTextResponse(await request.body())


class Exchange:
    """One request whose body comes in chunks, without a length or with a wrong one; counts what was read and sent."""

    def __init__(self, chunks: list[bytes], path: str = "/", length: str | None = None) -> None:
        self.chunks = list(chunks)
        self.sent: list[Any] = []
        headers = [(b"host", b"test"), (b"content-type", b"application/octet-stream")]
        if length is not None:
            headers.append((b"content-length", length.encode()))
        self.scope: dict[str, Any] = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": b"", "headers": headers, "scheme": "http", "server": ("test", 80), "client": None,
            "http_version": "1.1",
        }  # fmt: skip

    async def receive(self) -> Any:
        """Hand over the next chunk."""
        chunk = self.chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(self.chunks)}

    async def send(self, message: Any) -> None:
        """Keep a message."""
        self.sent.append(message)

    @property
    def statuses(self) -> list[int]:
        """The status of every response that was begun; more than one is a fault."""
        return [message["status"] for message in self.sent if message["type"] == "http.response.start"]


async def statuses(app: Any, chunks: list[bytes], path: str = "/", length: str | None = None) -> list[int]:
    """Send one request and return the statuses of what was answered."""
    exchange = Exchange(chunks, path, length)
    await app(exchange.scope, exchange.receive, exchange.send)
    return exchange.statuses


def foreign(router: APIRouter) -> str:
    router.add_route("/x", echo, methods=["POST"])
    return "/nested/x"


def mounted(router: APIRouter) -> str:
    child = FastAPI()
    child.post("/")(echo)
    router.mount("/x", child)
    return "/nested/x/"


def hosted(router: APIRouter) -> str:
    child = FastAPI()
    child.post("/x")(echo)
    router.routes.append(Host("test", child))
    return "/nested/x"


@pytest.mark.parametrize("add", [foreign, mounted, hosted])
async def test_what_a_router_includes_of_others_has_the_bound_of_the_inclusion(add: Callable[[APIRouter], str]) -> None:
    """A Starlette route or a mounted app would else be the hole in a bound that holds for all around it."""
    router = APIRouter()
    path = add(router)
    app = FastAPI()
    app.include_router(router, prefix="/nested", max_body_size=5)

    assert await statuses(app, [b"12345"], path) == [200]
    assert await statuses(app, [b"123", b"456"], path) == [413]


async def test_a_mounted_router_has_its_own_bound() -> None:
    """A router served as an app of its own is bounded as one that is included."""
    router = APIRouter(max_body_size=5)
    router.add_route("/x", echo, methods=["POST"])
    app = FastAPI(routes=[Mount("/r", router)])

    assert await statuses(app, [b"12345"], "/r/x") == [200]
    assert await statuses(app, [b"123456"], "/r/x") == [413]


@pytest.mark.parametrize("length", [None, "6"])
async def test_a_mounted_app_whose_middleware_reads_the_body_answers_413_once(length: str | None) -> None:
    """The bound is the outer application's: the inner one must not answer a second time."""
    parent, child = FastAPI(max_body_size=5), FastAPI()
    child.post("/")(echo)
    parent.mount("/child", child)

    @child.middleware("http")
    async def read_body(request: Request, call_next: Any) -> Any:
        await request.body()
        return await call_next(request)

    assert await statuses(parent, [b"123", b"456"], "/child/", length) == [413]
    assert await statuses(parent, [b"12345"], "/child/") == [200]


class Grouping:
    """ASGI middleware under which `receive` raises exception groups, as with a task group around it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def grouped() -> Any:
            try:
                return await receive()
            except Exception as exc:
                raise ExceptionGroup("from a task group", [exc]) from exc

        await self.app(scope, grouped, send)


async def declared(data: Annotated[bytes, Body(media_type="application/octet-stream")]) -> Response:
    return PlainTextResponse(data)


@pytest.mark.parametrize("endpoint", [echo, declared])
async def test_a_body_too_large_is_413_though_a_task_group_wraps_the_signal(endpoint: Callable[..., Any]) -> None:
    """anyio's task groups raise groups; the client should not see a 400 or a 500 for it."""
    app = FastAPI(max_body_size=5)
    app.post("/")(endpoint)
    app.add_middleware(Grouping)

    assert await statuses(app, [b"123", b"456"]) == [413]
    assert await statuses(app, [b"12345"]) == [200]


async def test_another_error_in_the_group_is_not_hidden() -> None:
    """A failed clean-up beside the signal must reach the log."""
    app = FastAPI(max_body_size=0)

    @app.post("/")
    async def endpoint(request: Request) -> None:
        try:
            await request.body()
        except HTTPException as exc:
            raise ExceptionGroup("read and clean-up", [exc, RuntimeError("clean-up failed")]) from exc

    with pytest.raises(ExceptionGroup):
        await statuses(app, [b"x"])


async def test_a_group_around_an_http_exception_is_nobodys_signal() -> None:
    """Only the limit's own exceptions are taken out of groups."""
    app = FastAPI(max_body_size=5)

    @app.post("/")
    async def endpoint() -> None:
        raise ExceptionGroup("the application's", [HTTPException(413)])

    with pytest.raises(ExceptionGroup):
        await statuses(app, [b""])


async def test_a_body_that_cannot_be_read_is_a_400() -> None:
    """Whatever breaks while bytes come in is no fault of the program."""
    app = FastAPI()
    app.post("/")(declared)
    exchange = Exchange([b"hello"])

    async def broken() -> Any:
        raise ExceptionGroup("read failed", [HTTPException(413)])

    await app(exchange.scope, broken, exchange.send)

    assert exchange.statuses == [400]
