"""Turns exceptions into responses, by registered handlers (`answer`) or with 500 (`crash`).

The layers that call both are in `_app/stack.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import CORO_CREATED, getcoroutinestate
from traceback import walk_tb
from types import CoroutineType
from typing import Any, TypeAlias, cast

from starlette.exceptions import HTTPException, WebSocketException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketState

from slipstream._engine.errors import AWAIT, NotAResponse
from slipstream._engine.runtime.cleanup import locate
from slipstream._engine.runtime.response import RESPONSE_STARTED, Watch, reply_whole
from slipstream._engine.runtime.threads import call_anywhere
from slipstream._engine.signature.origin import origin_of
from slipstream._engine.types import ASGIApp, Receive, Reply, Scope, Send
from slipstream._foreign.starlette import LIMIT_ANSWERED, limit_signal, request_with_body

ExceptionHandler: TypeAlias = Callable[[Any, Any], Any]
"""`handler(request, exc) -> Response` or `handler(websocket, exc) -> None`, async or sync."""

HandlerPair: TypeAlias = tuple[Mapping[Any, ExceptionHandler], Mapping[int, ExceptionHandler]]
"""Handlers by exception class, and handlers by HTTP status."""

HANDLERS = "starlette.exception_handlers"
"""Starlette's key of the `HandlerPair` in a scope; routes of Starlette read it."""


@dataclass(frozen=True, slots=True)
class Guard:
    pair: HandlerPair
    server_error: ExceptionHandler | None = None
    """Handler for 500 or `Exception`, called for exceptions that have no other handler."""

    @classmethod
    def of(cls, handlers: Mapping[Any, ExceptionHandler]) -> "Guard":
        """Sort handlers by exception class and by status; of handlers for 500 and `Exception`, the last counts."""
        by_class: dict[Any, ExceptionHandler] = {HTTPException: plain_http_answer, WebSocketException: close_websocket}
        by_status: dict[int, ExceptionHandler] = {}
        server_error: ExceptionHandler | None = None
        for key, handler in handlers.items():
            if key in (500, Exception):
                server_error = handler
            elif isinstance(key, int):
                by_status[key] = handler
            else:
                assert issubclass(key, Exception), f"cannot handle {key!r}: give an exception class or a status code"
                by_class[key] = handler
        return cls((by_class, by_status), server_error)


def find(exc: Exception, pair: HandlerPair) -> ExceptionHandler | None:
    """Find the handler for an exception: by its status if it is an HTTPException, else by its nearest class."""
    by_class, by_status = pair
    handler = by_status.get(exc.status_code) if by_status and isinstance(exc, HTTPException) else None
    return handler or next((by_class[cls] for cls in type(exc).__mro__ if by_class.get(cls)), None)


QUICK: dict[int, Callable[[Any, Reply], bool]] = {}
"""By the id of a handler, which lives as long as the process: what replies as it does, without a request.

`quick(exc, reply)` returns False, with nothing sent, if the handler itself has to be called.
"""


def reply_quickly(exc: Exception, handler: ExceptionHandler | None, reply: Reply) -> bool:
    """Reply to an exception whose handler needs neither request nor scope; return False for all others."""
    quick = QUICK.get(id(handler))
    if quick is None or not getattr(exc, "is_located", True) or not quick(exc, reply):
        return False
    exc.__traceback__ = None
    return True


async def answer(
    exc: Exception,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    started: bool | None = None,
    connection: HTTPConnection[Any] | None = None,
    body: bytes | None = None,
    reply: Reply | None = None,
) -> None:
    """Answer with the handler registered for `exc`, or raise it; generated handlers call this as `fail`.

    `started` says whether the response has started, so that no handler can answer; None reads it from the scope. The
    handler gets the `connection` of the user's code, or a new one whose `body()` returns `body`, if it was read. The
    response is sent by `reply`, if that is given and can take it.
    """
    if isinstance(exc, ExceptionGroup):
        exc = limit_signal(exc) or exc
    locate(exc, scope)
    handler = find(exc, scope.get(HANDLERS, ({}, {})))
    watch = Watch(send, RESPONSE_STARTED in scope if started is None else started)
    try:
        if handler is None:
            raise exc
        if watch.started:
            raise RuntimeError("Caught handled exception, but response already started.") from exc
        if reply is not None and reply_quickly(exc, handler, reply):
            return
        if connection is None:
            connection = connect(scope, receive, watch, body)
        response = await call_anywhere(handler, connection, exc)
        if response is not None or (scope["type"] == "http" and not watch.started):
            send_response = _checked(response, handler)
            if isinstance(connection, WebSocket) and connection.application_state is WebSocketState.CONNECTED:
                # It is open already, and so can have no HTTP response.
                code = 1011 if getattr(response, "status_code", 500) >= 500 else 1008
                reason = str(getattr(exc, "detail", "")).encode()[:MAX_REASON].decode(errors="ignore")
                await connection.close(code, reason)
            elif reply is None or not reply_whole(response, reply):
                await send_response(scope, receive, watch)
    except BaseException:
        if watch.started:
            scope[RESPONSE_STARTED] = True
        raise
    # A program may raise the same exception object again and again: its traceback must not grow.
    exc.__traceback__ = None


def _checked(response: Any, handler: ExceptionHandler) -> ASGIApp:
    if not callable(response):
        raise NotAResponse("the exception handler", origin_of(handler), response)
    return cast(ASGIApp, response)


MAX_REASON = 123
"""Most bytes that the reason of a WebSocket's close may have (RFC 6455, section 5.5)."""


def connect(scope: Scope, receive: Receive, send: Send, body: bytes | None = None) -> HTTPConnection[Any]:
    if scope["type"] == "websocket":
        return WebSocket(scope, receive, send)
    return Request(scope, receive, send) if body is None else request_with_body(scope, receive, send, body)


async def crash(
    exc: Exception,
    scope: Scope,
    receive: Receive,
    send: Send,
    debug: bool = False,
    handler: ExceptionHandler | None = None,
    *,
    started: bool | None = None,
) -> None:
    """Answer an exception without a handler with 500, then raise it again for the server to log.

    A `handler` for 500 is called even if the response has started, since it may log; its response is then dropped.
    For a WebSocket, the exception is only raised: the server closes the connection.
    """
    if isinstance(exc, (AttributeError, TypeError)) and "'coroutine'" in str(exc):
        _note_coroutines(exc)
    if scope["type"] == "http" and not isinstance(exc, LIMIT_ANSWERED):
        response: ASGIApp
        if debug:
            response = await call_anywhere(_DEBUG_PAGE.debug_response, Request(scope), exc)
        elif handler is None:
            response = PlainTextResponse("Internal Server Error", status_code=500)
        else:
            # Without `receive`, as in Starlette: if the body has been read, waiting for it would never end.
            response = await call_anywhere(handler, Request(scope), exc)
        if not (RESPONSE_STARTED in scope if started is None else started):
            await (response if handler is None else _checked(response, handler))(scope, receive, send)
    raise exc


def _note_coroutines(exc: Exception) -> None:
    """Name the variables, such as what a dependency returned, that are coroutines which nobody has awaited."""
    *_, (frame, _) = walk_tb(exc.__traceback__)
    for name, value in frame.f_locals.items():
        if isinstance(value, CoroutineType) and getcoroutinestate(value) == CORO_CREATED:
            place = f"{value.cr_code.co_filename}:{value.cr_code.co_firstlineno} in {value.__qualname__}"
            exc.add_note(f"{name!r} is a coroutine that nobody awaits\n  of {place}\n  where it is called, {AWAIT}")


_DEBUG_PAGE = ServerErrorMiddleware(PlainTextResponse(), debug=True)


async def plain_http_answer(request: HTTPConnection[Any], exc: HTTPException) -> Response:
    if exc.status_code in (204, 304):
        return Response(status_code=exc.status_code, headers=exc.headers)
    return PlainTextResponse(exc.detail, status_code=exc.status_code, headers=exc.headers)


async def close_websocket(websocket: WebSocket, exc: WebSocketException) -> None:
    await websocket.close(code=exc.code, reason=exc.reason)
