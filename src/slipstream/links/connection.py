"""A connection as a handler sees it: dialled, accepted, polled, or a webhook's request."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Hashable, Mapping
from typing import Any, ClassVar, Protocol

from pydantic_core import to_json
from starlette.datastructures import Headers

from slipstream.links.errors import CannotSend, LinkDown, WrongSetup
from slipstream.links.queue import QueueClosed
from slipstream.links.redact import printable
from slipstream.links.rules import Failure, TokenBucket, closed
from slipstream.links.setup import LinkKind, Options
from slipstream.links.state import Status

Data = str | bytes

_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
_LONGEST_REASON = 123


class Transport(Protocol):
    """What carries messages: one connection of some library, or one request."""

    ended_by: Failure | None
    """Why this program has ended the connection."""

    @property
    def is_open(self) -> bool:
        """Whether something sent now may arrive."""

    async def send(self, data: Data) -> None:
        """Send one message.

        Raises:
            LinkDown: The connection ended; the message may be lost.
        """

    async def close(self, failure: Failure) -> None:
        """End the connection with the code and the reason of a failure, which becomes the reason of its end."""

    async def end(self, failure: Failure) -> None:
        """Make the task that reads from the connection stop, and close it as `close` does."""


class Sends(Protocol):
    """Sends plain messages at once; see `slipstream._sockets.wire.Wire`, which is not loaded for this."""

    def send(self, data: Data) -> bool:
        """Send a message, if that can be done at once; return whether it was."""


class LinkFacts(Protocol):
    """What a connection shows of its link; `status.failure` has the end of the connection before this one."""

    name: str
    kind: LinkKind
    options: Options
    status: Status

    @property
    def lifespan_state(self) -> Mapping[str, Any]:
        """What the application's start-up left."""


class Peer(Protocol):
    """What outlives a connection: the session that it belongs to; `links/session.py` has the methods."""

    key: Hashable
    last_id: Any
    bucket: TokenBucket | None

    @property
    def link(self) -> LinkFacts:
        """The link."""

    async def call(self, connection: "Connection", message: Mapping[str, Any], within: float | None) -> Any:
        """Send a message and wait for its reply."""

    async def next_message(self, connection: "Connection") -> Data:
        """Wait for the next message of a conversation.

        Raises:
            QueueClosed: The connection has ended, and every message has been taken.
            CannotReceive: The messages of the connection go to the handler one by one.
        """

    async def pace(self) -> None:
        """Wait until one more message may be sent, by the link's `rate`."""

    def spawn(self, connection: "Connection", work: Coroutine[Any, Any, Any], name: str | None) -> "asyncio.Task[Any]":
        """Run a coroutine beside a connection."""

    def count_sent(self) -> None:
        """Count a message."""


class Connection:
    """One connection with a peer, dialled by us or by them, or one webhook request, or the answers to polls.

    Attributes:
        link: The link that it belongs to: `name`, `kind`, `options`, `status`.
        kind: The link's kind, which says who dialled: "websocket", "polling", "accepted" or "webhook".
        key: What distinguishes this peer from the others of the link; None where there is one.
        id: Name of the connection in logs, such as "prices#3"; no two of a process share one.
        url: Address that was dialled, or the path that the peer asked for. It may hold secrets.
        headers: Headers of the peer: of its answer to our handshake, or of its request.
        path_params: Parameters of the path, where the peer dialled.
        subprotocol: Sub-protocol agreed on, if any.
        state: Yours: whatever the program wants to remember about this connection.
        failure: Why the connection ended; None until it has.
    """

    slot_context: ClassVar = "link"
    """Says to `slipstream.handlers` that a parameter of this type gets the connection."""

    def __init__(
        self,
        peer: Peer,
        transport: Transport,
        *,
        name: str,
        url: str,
        headers: Headers,
        path_params: Mapping[str, Any] | None = None,
        subprotocol: str | None = None,
    ) -> None:
        self.peer, self.transport = peer, transport
        self.link, self.kind, self.key = peer.link, peer.link.kind, peer.key
        self.id, self.url, self.headers = name, url, headers
        self.path_params: Mapping[str, Any] = path_params or {}
        self.subprotocol = subprotocol
        self.state: dict[str, Any] = {}
        self.wire: Sends | None = None
        self.failure: Failure | None = None
        self.is_ready = False
        self.tasks: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"<Connection {self.id} {self.kind} {'open' if self.is_open else 'closed'}>"

    @property
    def last_id(self) -> Any:
        """Id of the latest event received from this peer, over all its connections; None before the first.

        An `opened` hook sends it to a peer that can resume.
        """
        return self.peer.last_id

    @property
    def is_open(self) -> bool:
        """Whether something sent now may arrive."""
        return self.transport.is_open

    async def send(self, data: Any) -> None:
        """Send one message when `rate` allows it: `str` and `bytes` as they are, all else as JSON text.

        Raises:
            LinkDown: The connection has ended; unlike `Link.send`, nothing is kept for later.
            CannotSend: The peer is polled, or the webhook's request has its answer.
        """
        if self.peer.bucket is not None:
            await self.peer.pace()
        message = encoded(data)
        if self.wire is not None and self.wire.send(message):
            self.peer.count_sent()
            return
        if not self.transport.is_open:
            if self.kind == "polling":
                raise CannotSend(self.link.name, self.kind)
            raise self.down()
        await self.transport.send(message)
        self.peer.count_sent()

    async def call(self, message: Mapping[str, Any], *, within: float | None = None) -> Any:
        """Send a message and wait for its reply.

        The field that the link's `reply_id` names is filled in, unless the message has one. The reply is the message
        with the same value there; it does not go to the handler.

        Args:
            message: The JSON object to send.
            within: Seconds to wait. Default: the link's `call_timeout`.

        Returns:
            The reply, parsed.

        Raises:
            LinkDown: The connection ended before the reply came; raised at once. The peer may have acted.
            CallTimeout: No reply came in time.
            WrongSetup: The link has no `reply_id`.
        """
        return await self.peer.call(self, message, within)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection; a link that dials then dials again.

        Args:
            code: Close code, as RFC 6455 (section 7.4) defines them.
            reason: Text for the peer, at most 123 bytes of UTF-8.

        Raises:
            WrongSetup: A close frame cannot hold these; the connection goes on.
        """
        check_close(code, reason)
        await self.transport.close(closed("us", code, reason))

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str | None = None) -> "asyncio.Task[Any]":
        """Run a coroutine beside the connection, such as a platform's own heartbeat.

        It is cancelled when the connection ends. An error that it raises is logged and ends the connection with 1011
        and a `failure` of kind "task"; a `LinkDown` after the end of the connection is ignored.

        Args:
            work: The coroutine.
            name: Name of the task. Default: made from `id`.

        Raises:
            LinkDown: The connection has ended, or never opens: a webhook's request, an answer to a poll.
        """
        return self.peer.spawn(self, work, name)

    async def receive(self) -> Data:
        """Wait for the next message; in a `login` function, or where the handler holds the whole connection.

        Raises:
            LinkDown: The connection has ended.
            CannotReceive: The messages of the connection go to the handler, one by one.
        """
        try:
            return await self.peer.next_message(self)
        except QueueClosed:
            raise self.down() from None

    def down(self) -> LinkDown:
        """Return the error that says that the connection has ended."""
        code = self.failure.code if self.failure else None
        return LinkDown(self.link.name, f"connection {self.id} has ended", code)

    async def __aiter__(self) -> AsyncIterator[Data]:
        """Iterate over the messages until the connection ends; see `receive`."""
        while True:
            try:
                message = await self.peer.next_message(self)
            except QueueClosed:
                return
            yield message


def check_close(code: int, reason: str) -> None:
    """Raise `WrongSetup` unless a close frame can hold a code and a reason."""
    if not (code in _CLOSE_CODES or 3000 <= code < 5000):
        raise WrongSetup("code", code, "1000 to 1003, 1007 to 1014, or 3000 to 4999")
    if len(reason.encode("utf-8", "replace")) > _LONGEST_REASON:
        raise WrongSetup("reason", printable(reason), f"at most {_LONGEST_REASON} bytes of UTF-8")


def encoded(data: Any) -> Data:
    """Return a value as a message: `str` and `bytes` as they are, all else as JSON text."""
    if isinstance(data, str | bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    return as_json(data)


def as_json(value: Any) -> str:
    """Write a value as JSON; numbers that JSON does not have, NaN and the infinities, as null."""
    return to_json(value, inf_nan_mode="null").decode()
