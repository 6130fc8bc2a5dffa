"""What tests of exceptions share: an app that raises, handlers that tell who answered, one request."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


class ShopClosed(Exception):
    pass


class ShopOnFire(ShopClosed):
    pass


def http_scope(**more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], **more}


async def receive() -> Message:
    return {"type": "http.request", "body": b"from the server", "more_body": False}


class Sink:
    """A `send` that keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


def told(name: str) -> Callable[[Request, Exception], JSONResponse]:
    def handler(request: Request, exc: Exception) -> JSONResponse:
        return JSONResponse({"by": name, "exc": str(exc)}, status_code=418)

    return handler


def raising(exc: Exception, *before: Message) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        raise exc

    return app


def run(app: App, scope: dict[str, Any] | None = None) -> tuple[list[Message], BaseException | None]:
    """Serve one request; give the messages sent and the exception that came out."""
    sink = Sink()
    scope = http_scope() if scope is None else scope

    async def main() -> BaseException | None:
        try:
            await app(scope, receive, sink)
        except Exception as exc:
            return exc
        return None

    return sink.messages, anyio.run(main)


CASES: dict[str, App] = {
    "no content": raising(HTTPException(204)),
    "http": raising(HTTPException(404, detail="none", headers={"x-shelf": "3"})),
    "not modified": raising(HTTPException(304, headers={"etag": "x"})),
    "status": raising(HTTPException(409, detail="clash")),
    "class": raising(ShopOnFire("hot")),
    "late": raising(ShopOnFire("hot"), START),
    "unknown": raising(ZeroDivisionError("secret of the house")),
    "unknown late": raising(ZeroDivisionError("secret of the house"), START),
}
HANDLED = {409: told("status"), ShopClosed: told("class")}
