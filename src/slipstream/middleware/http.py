"""Middleware with `dispatch(request, call_next)`, as `@app.middleware("http")` makes it of a function.

It behaves as Starlette's `BaseHTTPMiddleware`, without its task group and its queue: the application runs as a `Fiber`
in the task and the context of the middleware, pauses when it has sent something, and goes on when the middleware asks
for more. So the middleware sees context variables that the endpoint sets, and costs microseconds, not hundreds of them.

Under trio, and where asyncio's or Starlette's private names are others (`_foreign`), Starlette's class does the work.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from types import CoroutineType, coroutine
from typing import Any, TypeAlias, cast

import anyio
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slipstream._engine.errors import NotAResponse
from slipstream._engine.signature.origin import origin_of
from slipstream._foreign.asyncio import enter_task
from slipstream._foreign.starlette import KNOWS_REQUESTS, BodySharingRequest, ForwardedBase
from slipstream.middleware._fiber import Fiber, park

CallNext: TypeAlias = Callable[[Request[Any]], Awaitable[Response]]
Dispatch: TypeAlias = Callable[[Request[Any], CallNext], Awaitable[Response]]


class HTTPMiddleware:
    """Middleware with a `dispatch` method, or function; takes the place of Starlette's `BaseHTTPMiddleware`."""

    def __init__(self, app: ASGIApp, dispatch: Dispatch | None = None) -> None:
        self.app = app
        if dispatch is not None:
            self.dispatch = dispatch  # type: ignore[method-assign,assignment]  # the function stands for the method

    async def dispatch(self, request: Request[Any], call_next: CallNext) -> Response:
        """Return the response to send, mostly that of `await call_next(request)`."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request through `dispatch`; pass other scopes on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        task = current_task()
        if task is None:
            await BaseHTTPMiddleware(self.app, dispatch=self.dispatch)(scope, receive, send)
            return
        request = BodySharingRequest(scope, receive, send)
        exchange = Exchange(self.app, request, send, task)
        try:
            response = await self.dispatch(request, exchange.call_next)
            if not callable(response):
                raise NotAResponse("the middleware", origin_of(self.dispatch), response)
            await response(scope, request.receive_once, send)
            if exchange.is_running:
                exchange.ignore()
                await exchange.advance()
        except BaseException as exc:
            if exchange.is_running:
                await exchange.cancel(exc)
            if not is_hung_up(exc):
                raise


_CAN_STEP = enter_task is not None and KNOWS_REQUESTS


def current_task() -> "asyncio.Task[Any] | None":
    """Return the running task of asyncio; None under trio, and where no fiber can run."""
    try:
        return asyncio.current_task() if _CAN_STEP else None
    except RuntimeError:
        return None


class Exchange:
    """The application's part of one request: its fiber, and the messages that it has sent.

    It is the iterator of the response's body: bytes, and dicts for messages of other kinds.
    """

    def __init__(self, app: ASGIApp, request: BodySharingRequest, send: Send, task: "asyncio.Task[Any]") -> None:
        self._app = app
        self._request = request
        self._send = send
        self._task = task
        self._loop = task.get_loop()
        self._wait: asyncio.Future[None] | None = None
        self._taken: asyncio.Event | None = None
        self._is_ignored = False
        self.fiber: Fiber | None = None
        self.start: Message | None = None
        self.info: Mapping[str, Any] | None = None
        self.inbox: deque[Message] = deque()
        self.is_read = False
        """Whether the last piece of the application's response has been read."""

    @property
    def is_running(self) -> bool:
        """Whether the application has started and not ended."""
        return self.fiber is not None and not self.fiber.done()

    async def call_next(self, request: Request[Any]) -> Response:
        """Run the application until its response has started, and return that response.

        Raises:
            Exception: What the application raises before its response has started.
            RuntimeError: It ended without a response, or was called before.
        """
        if self.fiber is not None:
            raise RuntimeError("call_next was called before for this request; the application beneath runs once")
        running = self._app(self._request.scope, self._receive, self._take)
        if type(running) is not CoroutineType:
            running = waited(running)
        self.fiber = fiber = Fiber(running, self._loop)
        if asyncio.current_task(self._loop) is not self._task:
            # `asyncio.wait_for(call_next(request), 5)` makes a task: the application runs in several tasks then, and
            # needs one context for all.
            fiber.context = contextvars.copy_context()
        await self.advance()
        if self.start is None:
            raise RuntimeError("No response returned.")
        return ForwardedResponse(self, self.start)

    async def _receive(self) -> Message:
        if self._is_ignored:
            return {"type": "http.disconnect"}
        return await self._request.receive_once()

    async def _take(self, message: Message) -> None:
        """Take a message; this is the application's `send`."""
        kind = message["type"]
        if kind == "http.response.start":
            self.start = message
            self._wake()
        elif kind == "http.response.debug":
            self.info = message["info"]
        elif self.start is None:
            await self._send(message)
        elif self._is_ignored:
            self._hang_up(message)
        else:
            self.inbox.append(message)
            if asyncio.current_task(self._loop) is cast("asyncio.Task[Any] | None", self.fiber):
                await park()
            else:
                # A task that the application made waits until the middleware has taken the message.
                self._wake()
                self._taken = self._taken or asyncio.Event()
                await self._taken.wait()

    def _wake(self, _: object = None) -> None:
        if self._wait is not None and not self._wait.done():
            self._wait.set_result(None)

    def _hang_up(self, message: Message) -> None:
        """Drop a message that nobody reads; raise for a stream, which might go on for ever."""
        if self.is_read or not message.get("more_body", False):
            return
        # Since version 2.4 of ASGI, applications expect an OSError of `send` when the client has left.
        version = self._request.scope.get("asgi", {}).get("spec_version", "2.0")
        if tuple(map(int, version.split("."))) >= (2, 4):
            raise ResponseReplaced("a middleware gave another response; nobody reads this one")

    @coroutine
    def advance(self) -> Generator[Any, Any, None]:
        """Run the application until it has sent a piece of the body or has ended.

        While `call_next` waits, the start of the response is enough, as soon as the application has to wait.
        """
        if self._taken is not None:
            self._taken.set()
            self._taken = None
        fiber, task = self.fiber, asyncio.current_task(self._loop)
        assert fiber is not None
        assert task is not None
        awaits_start = self.start is None and not self._is_ignored
        while not fiber.done():
            if fiber.waits_for is None:
                fiber.step(task, self._loop)
                if self.inbox or fiber.done() or (awaits_start and self.start is not None):
                    return
            future = fiber.waits_for
            if future is None:
                yield  # let the event loop run
            else:
                # Not the future itself: if the middleware is cancelled, what the application waits for is not.
                self._wait = self._loop.create_future()
                future.add_done_callback(self._wake)
                try:
                    yield from self._wait
                finally:
                    future.remove_done_callback(self._wake)
                    self._wait = None
            if self.inbox or (awaits_start and self.start is not None):
                return

    def __aiter__(self) -> AsyncIterator[bytes | Message]:
        return self

    async def __anext__(self) -> bytes | Message:
        while not self.is_read:
            if not self.inbox:
                await self.advance()
            if not self.inbox:
                self.is_read = True
                break
            message = self.inbox.popleft()
            if message["type"] != "http.response.body":
                self.is_read = message["type"] == "http.response.pathsend"
                return message
            self.is_read = not message.get("more_body", False)
            body: bytes = message.get("body", b"")
            if body:
                return body
        raise StopAsyncIteration

    def take_whole(self) -> bytes | None:
        """Take the body if all of it has been sent in one piece; else return None and take nothing."""
        if self.is_read or not self.inbox:
            return None
        message = self.inbox[0]
        if message["type"] != "http.response.body" or message.get("more_body", False):
            return None
        self.inbox.clear()
        self.is_read = True
        body: bytes = message.get("body", b"")
        return body

    async def aclose(self) -> None:
        """Drop the rest of the response."""
        self.inbox.clear()
        self.is_read = True

    def ignore(self) -> None:
        """Drop all further messages; to the application, the client has left."""
        self._is_ignored = True
        self.inbox.clear()

    async def cancel(self, cause: BaseException) -> None:
        """Cancel the application and wait for its clean-up, whose exceptions are dropped.

        If the task is cancelled meanwhile, the application is cancelled again, and CancelledError raised at the end.
        """
        fiber = self.fiber
        assert fiber is not None
        if isinstance(cause, GeneratorExit):
            fiber.kill()
            return
        self.ignore()
        cancelled: asyncio.CancelledError | None = None
        with anyio.CancelScope(shield=True):
            while not fiber.done():
                fiber.cancel()
                try:
                    await self.advance()
                except asyncio.CancelledError as exc:
                    if not fiber.done():
                        cancelled = exc
                except Exception:
                    break
        if cancelled is not None:
            raise cancelled


class ResponseReplaced(OSError):
    """Raised by `send` in a stream whose response nobody reads."""


def is_hung_up(exc: BaseException | None) -> bool:
    """Whether an exception is `ResponseReplaced` or was caused by it, as Starlette's ClientDisconnect may be."""
    while exc is not None:
        if isinstance(exc, ResponseReplaced):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


async def waited(awaitable: Awaitable[Any]) -> Any:
    """Make a coroutine of any awaitable."""
    return await awaitable


class ForwardedResponse(ForwardedBase):  # type: ignore[misc]  # chosen at import
    """The application's response. `body_iterator` can be read, or replaced by any async iterator of bytes."""

    body_iterator: Any
    background: Any

    def __init__(self, exchange: Exchange, start: Message) -> None:
        self.info = exchange.info
        self.body_iterator = exchange
        self.status_code = start["status"]
        self.media_type = None
        # A copy: the application may send the same list with every response.
        self.raw_headers = list(start.get("headers", ()))
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, each piece as it comes."""
        body = self.body_iterator
        whole = body.take_whole() if type(body) is Exchange else None
        if self.info is not None:
            await send({"type": "http.response.debug", "info": self.info})
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if whole is not None:
            await send({"type": "http.response.body", "body": whole})
        else:
            has_body = True
            async for piece in body:
                if isinstance(piece, dict):
                    has_body = False
                    await send(piece)
                else:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            if has_body:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()
