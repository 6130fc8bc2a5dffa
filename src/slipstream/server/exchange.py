"""One request and its response: ASGI's two functions, and the direct door's one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from starlette.types import Message, Scope

from slipstream.limits import ON_DISCONNECT
from slipstream.server import framing
from slipstream.server.framing import CLOSE, KEEP, Headers
from slipstream.server.service import DirectDoor, Service
from slipstream.server.task import begin

MOST_JOINED: Final = 65536
"""Longest content, in bytes, that is copied to be written together with what stands before it."""


class Connection(Protocol):
    """The connection as its exchanges use it."""

    service: Service
    transport: Any

    is_last: bool
    """Whether no request after the one that is being served will be."""

    def write_room(self) -> Awaitable[None] | None:
        """Return what is done when the transport has room; None if it has."""

    def invite(self) -> None:
        """Have the client send the body that it has announced."""

    def consumed(self) -> None:
        """Read on, since the application has taken what there was of a body."""

    def answered(self, exchange: "Exchange", *, keeps_alive: bool) -> None:
        """Go on to the next request, or close."""

    def broken_off(self) -> None:
        """Close, since the response has no end."""


class Exchange:
    """One request and its response.

    Attributes:
        is_whole: Whether the whole body has come.
        unread: How many bytes of the body have come that the application has not got.
        is_gone: Whether there is nobody any more to answer.
        has_left: Whether the application is told that the client has left.
        has_begun, is_answered: Whether the response has begun, and is complete.
    """

    # Defaults of attributes; most requests set few of them.
    is_whole = False
    expects_continue = False
    body_left = 0
    trailers = 0
    unread = 0
    is_gone = has_left = has_begun = is_answered = False
    task: "asyncio.Future[Any] | None" = None
    _arrived: "asyncio.Future[None] | None" = None
    _is_body_given = False
    _content: framing.Head | None = None
    _has_content = True
    _left: int | None = 0
    _unwritten: list[bytes] | None = None

    def __init__(self, connection: Connection, scope: Scope, *, keep_alive: bool) -> None:
        self.connection = connection
        self.scope = scope
        self.keep_alive = keep_alive
        self.parts: list[bytes] = []
        """Of the body, what has come and is unread."""

    # --- running the application -----------------------------------------------------------------------------------

    def begin(self, app: Callable[..., Any], direct: DirectDoor | None) -> None:
        """Have the request served: by the direct door if there is one and the request is whole, else by ASGI."""
        service = self.connection.service
        if direct is not None and self.is_whole:
            parts = self.parts
            raw = b"" if not parts else parts[0] if len(parts) == 1 else b"".join(parts)
            running: Any = direct(self.scope, self.receive, self.send, raw, self.reply)
        else:
            running = self._call(app)
        # Not a copy of the current one, which may be that of the request before.
        self.task = task = begin(running, service.context.copy(), service.loop, self._ended)
        if task is not None:
            service.under_way += 1
            service.state.tasks.add(task)

    async def _call(self, app: Callable[..., Any]) -> Any:
        """Call an ASGI app, which may raise at once, or return any awaitable."""
        return await app(self.scope, self.receive, self.send)

    def _ended(self, error: BaseException | None, result: Any) -> None:
        """Make good for an application that has left the response unfinished."""
        if error is None and result is None and self.is_answered and self.task is None:
            return
        task, self.task = self.task, None
        service = self.connection.service
        if task is not None:
            service.under_way -= 1
            service.state.tasks.discard(task)
        if error is not None:
            if not (self.is_gone and isinstance(error, asyncio.CancelledError)):
                service.logger.error("Exception in ASGI application\n", exc_info=error)
        elif result is not None:
            service.logger.error("ASGI callable should return None, but returned '%s'.", result)
        elif self.is_answered or self.is_gone:
            return
        elif self.has_begun:
            service.logger.error("ASGI callable returned without completing response.")
        else:
            service.logger.error("ASGI callable returned without starting response.")
        if self.is_answered or self.is_gone:
            return
        if self.has_begun:
            self._flush()
            self.connection.broken_off()
        else:
            self.reply(500, ((b"content-type", b"text/plain; charset=utf-8"),), b"Internal Server Error")

    # --- the request -------------------------------------------------------------------------------------------------

    def take(self, part: bytes) -> None:
        """Take in a piece of the body."""
        self.parts.append(part)
        self.unread += len(part)
        if self._arrived is not None:
            self.wake()

    def wake(self) -> None:
        """Wake the application if it waits in `receive`."""
        arrived, self._arrived = self._arrived, None
        if arrived is not None and not arrived.done():
            arrived.set_result(None)

    @property
    def is_cancelled_by_leaving(self) -> bool:
        """Whether the application wants to be cancelled when its client leaves."""
        return self.scope.get(ON_DISCONNECT) == "cancel"

    def leave(self, *, is_gone: bool) -> None:
        """Have the application know that its client has left, in the way that it wants; `is_gone`: for certain."""
        self.is_gone = is_gone
        self.has_left = not self.is_whole or self.scope.get(ON_DISCONNECT) != "ignore"
        if is_gone and self.is_cancelled_by_leaving and self.task is not None:
            self.task.cancel()
        self.wake()

    async def receive(self) -> Message:
        """Return the next event of ASGI: a piece of the body, or that the client has left."""
        if self.expects_continue and not self.is_gone:
            self.expects_continue = False
            if not self.has_begun:
                self.connection.invite()
        while not (self.parts or self._is_at_end or self.is_answered):
            if self._arrived is None:
                self._arrived = self.connection.service.loop.create_future()
            await asyncio.shield(self._arrived)
        if self._is_body_given or self.is_answered or (self.has_left and not self.is_whole):
            return {"type": "http.disconnect"}
        body = b"".join(self.parts)
        self.parts, self.unread = [], 0
        self._is_body_given = self.is_whole
        if not self.is_whole:
            self.connection.consumed()
        return {"type": "http.request", "body": body, "more_body": not self.is_whole}

    @property
    def _is_at_end(self) -> bool:
        """Whether there is something to return although no part of the body is there."""
        return self.has_left or (self.is_whole and not self._is_body_given)

    # --- the response ------------------------------------------------------------------------------------------------

    def reply(self, status: int, headers: Headers, content: bytes, is_complete: bool = False) -> bool:
        """Write a whole response, whose status has content, and whose headers are none of `framing.FRAMING`.

        If `is_complete`, status and headers are any. Return False, with nothing written, if `send` has to take them, or
        if a response has begun.
        """
        if self.is_gone:
            return True
        lines = framing.complete(status, headers, len(content)) if is_complete else None
        if self.has_begun or (is_complete and lines is None):
            return False
        self.has_begun = self.is_answered = True
        connection, scope = self.connection, self.scope
        service = connection.service
        keeps_alive = self.keep_alive and not connection.is_last and (self.is_whole or self._can_go_on)
        more = b"" if keeps_alive and scope["http_version"] == "1.1" else KEEP if keeps_alive else CLOSE
        if lines is None:
            head = service.head(status, headers, len(content), more)
        else:
            head = service.head_with(status, lines, more)
        if scope["method"] == "HEAD":
            content = b""
        if len(content) <= MOST_JOINED:
            connection.transport.write(head + content)
        else:
            connection.transport.writelines((head, content))
        if service.log is not None:
            service.log.note(scope, status)
        if self._arrived is not None:
            self.wake()
        connection.answered(self, keeps_alive=keeps_alive)
        return True

    @property
    def _can_go_on(self) -> bool:
        """Whether what is left of the body is short enough to be read for the sake of the next request."""
        return not self.expects_continue and 0 <= self.body_left <= MOST_JOINED

    async def send(self, message: Message) -> None:
        """Take an event of ASGI: the head of the response, or a piece of its content."""
        room = self.connection.write_room()
        if room is not None and not self.is_gone:
            self._flush()
            await room
        if self.is_gone:
            await asyncio.sleep(0)  # an endless stream would never let anybody tell it
            return
        kind = message["type"]
        if self.is_answered:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent, after response already completed.")
        expected = "http.response.body" if self.has_begun else "http.response.start"
        if kind != expected:
            raise RuntimeError(f"Expected ASGI message '{expected}', but got '{kind}'.")
        if self.has_begun:
            self._send_content(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            self._send_head(message["status"], message.get("headers", ()))

    def _send_head(self, status: int, headers: Headers) -> None:
        connection, scope = self.connection, self.scope
        service = connection.service
        self._content = head = framing.head(
            status,
            headers,
            service.state.default_headers,
            method=scope["method"],
            version=scope["http_version"],
            keep_alive=self.keep_alive and not connection.is_last and (self.is_whole or self._can_go_on),
        )
        self.has_begun = True
        self._has_content = framing.has_content(scope["method"], status)
        self._left = head.length
        self._write(head.written)
        if service.log is not None:
            service.log.note(scope, status)

    def _send_content(self, content: bytes, *, is_last: bool) -> None:
        head = self._content
        assert head is not None
        if self._has_content:
            if self._left is not None:
                self._left -= len(content)
                if self._left < 0:
                    raise RuntimeError("Response content longer than Content-Length")
            if head.is_chunked:
                content = framing.chunk(content, is_last=is_last)
            if content:
                self._write(content)
            if is_last and self._left:
                self._flush()
                raise RuntimeError("Response content shorter than Content-Length")
        if is_last:
            self.is_answered = True
            self._flush()
            self.wake()
            self.connection.answered(self, keeps_alive=head.keeps_alive)

    def _write(self, data: bytes) -> None:
        """Write together with what else the application sends in this turn of the loop."""
        if self._unwritten is None:
            self._unwritten = []
            self.connection.service.loop.call_soon(self._flush)
        self._unwritten.append(data)
        if len(data) > MOST_JOINED:
            self._flush()

    def _flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, None
        if unwritten and not self.is_gone:
            transport = self.connection.transport
            if len(unwritten[-1]) > MOST_JOINED:
                transport.writelines(unwritten)
            else:
                transport.write(b"".join(unwritten))
