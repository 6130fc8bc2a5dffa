"""Private names of Starlette: a request's body, form and channels, the limit's exceptions, `call_next`'s response."""

from contextlib import aclosing
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.middleware import base, body_limit
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket


def _class_of(module: Any, name: str, base: type) -> Any:
    """Return the class of this name if it is derived from `base`; else None."""
    found = getattr(module, name, None)
    return found if isinstance(found, type) and issubclass(found, base) else None


LIMIT_ANSWERED: Any = _class_of(body_limit, "_RequestBodyLimitResponseSent", Exception) or ()
"""Exception of the body limit after it has sent its 413; `()` if it is not known, which no exception matches."""
LIMIT_SIGNALS: Any = (_class_of(body_limit, "_RequestBodyTooLarge", Exception) or (), LIMIT_ANSWERED)
"""All exceptions of the body limit."""


def limit_signal(exc: Exception) -> Exception | None:
    """Return the limit's own exception, also out of a group without others; None for all others."""
    if isinstance(exc, ExceptionGroup):
        _, others = exc.split(LIMIT_SIGNALS)
        if others is not None:
            return None
        found: Any = exc.subgroup(LIMIT_ANSWERED) or exc
        while isinstance(found, ExceptionGroup):
            found = found.exceptions[0]
        return found  # type: ignore[no-any-return]  # the leaf of a group of exceptions
    return exc if isinstance(exc, LIMIT_SIGNALS) else None


ForwardedBase: Any = _class_of(base, "_StreamingResponse", Response) or Response
"""The class of `call_next`'s response, for programs that check it; else `Response`."""


async def _receive_part() -> Message:
    return {"type": "http.request", "body": b"part", "more_body": False}


async def _send_nothing(message: Message) -> None:
    pass


def _knows_requests() -> bool:
    """Whether a request keeps its body and its channels in the expected attributes."""
    request: Any = Request({"type": "http"}, _receive_part, _send_nothing)
    names = ("_receive", "_send", "_stream_consumed", "_is_disconnected", "_body")
    if [getattr(request, name, None) for name in names] != [_receive_part, _send_nothing, False, False, None]:
        return False
    reading = request.body()
    try:
        reading.send(None)
    except StopIteration:
        return (request._stream_consumed, getattr(request, "_body", None)) == (True, b"part")
    reading.close()
    return False


KNOWS_REQUESTS = _knows_requests()
"""Whether `BodySharingRequest` works."""


class BodySharingRequest(Request[Any]):
    """The request that `dispatch` gets.

    If `dispatch` calls `body()`, the application receives the whole body too; after `stream()`, it receives an empty
    body and does not wait.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._is_delivered = False

    async def receive_once(self) -> Message:
        """Receive for the application: the body once, then the client's disconnect."""
        is_read = hasattr(self, "_body") or (self._stream_consumed and not self._is_disconnected)
        if is_read and not self._is_delivered:
            self._is_delivered = True
            return {"type": "http.request", "body": getattr(self, "_body", b""), "more_body": False}
        if self._is_disconnected:
            return {"type": "http.disconnect"}
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._is_disconnected = True
                return message
            if not self._is_delivered:
                # Keep the request's own attributes in step with what the application reads.
                self._stream_consumed = self._is_delivered = not message.get("more_body", False)
                return message
            # Drop the rest of a body that `dispatch` has replaced.


class BoundedParser(MultiPartParser):
    """A parser that refuses a part whose headers have together more than so many bytes."""

    def __init__(self, request: Request[Any], stream: Any, most: int, **options: Any) -> None:
        super().__init__(request.headers, stream, **options)
        self._most = most

    def on_header_end(self) -> None:
        """Count the headers that the part has so far."""
        super().on_header_end()
        if sum(len(name) + len(value) for name, value in self._current_part.item_headers) > self._most:
            raise MultiPartException(f"Too large headers. A part may have {self._most} bytes of them.")


async def bounded_form(request: Request[Any], most: int, options: dict[str, Any]) -> FormData:
    """Read a form, as `Request.form` with options does; the headers of a part have at most so many bytes."""
    is_multipart = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    if is_multipart and getattr(request, "_form", ()) is None and hasattr(MultiPartParser, "on_header_end"):
        try:
            async with aclosing(request.stream()) as stream:
                request._form = await BoundedParser(request, stream, most, **options).parse()
        except MultiPartException as exc:
            raise HTTPException(400, exc.message) from exc
    return await request.form(**options)


def request_with_body(scope: Scope, receive: Receive, send: Send, body: bytes) -> Request[Any]:
    """Make a request whose body has been read already."""
    if KNOWS_REQUESTS:
        request: Request[Any] = Request(scope, receive, send)
        request._body = body
        return request
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> Message:
        return next(parts, None) or await receive()

    return Request(scope, receive_again, send)


def channels_of(socket: WebSocket) -> tuple[Any, Any]:
    """Return ASGI's `receive` and `send` of a WebSocket; None for each that is not found."""
    return getattr(socket, "_receive", None), getattr(socket, "_send", None)
