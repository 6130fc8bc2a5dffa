"""A link: its name, its state, its hooks, its counters, and the sessions with its peers."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, ClassVar, TypeVar

from slipstream.links.core import LinkCore
from slipstream.links.errors import CannotSend, LinkDown, WrongHandler, WrongSetup
from slipstream.links.handlers import Handler
from slipstream.links.intake import Receiver
from slipstream.links.session import Connection, Session
from slipstream.links.setup import LinkOptions, check_value
from slipstream.links.state import Status
from slipstream.links.supervise import Home

F = TypeVar("F", bound=Callable[..., Any])

Changed = Callable[["Link", Status, Status], Awaitable[None] | None]
"""Called with the link, its old status and its new one."""


class Link(LinkCore):
    """A server that we dial or poll, or a path that others dial; as a decorator it makes a function its handler."""

    knows_peers = True
    """Whether a peer that comes back is recognized, so that messages can be kept for it."""
    goodbye: ClassVar = 1012, "service restart"
    """Code and reason with which connections are closed at the end."""

    def __init__(self, home: Home, options: LinkOptions) -> None:
        super().__init__(home, options)
        self.receiver: Receiver | None = None
        """Takes the messages of a link that dials in place of its sessions, for programs that deliver themselves."""
        self.cursor: Any = None
        self.sessions: dict[Hashable, Session] = {}

    # What the program says

    def __call__(self, function: F) -> F:
        """Make a function the handler, and return it; names in its annotations may be defined until the link starts.

        Raises:
            WrongHandler: It asks for what a link does not have.
        """
        check_value("handler", function, Callable)
        handler = Handler(function, self.name, lambda: self.home.app)
        if handler.is_settled or self.home.is_running:
            self.settle(handler)
        self.handler = handler
        return function

    def settle(self, handler: Handler) -> None:
        """Have a handler read annotations with names that were not defined when it was decorated."""
        handler.settle()
        if handler.is_conversation and self.kind in ("polling", "webhook"):
            raise WrongHandler(self.name, handler.name, "it takes no event, and there is no connection to read from")

    def login(self, function: F) -> F:
        """Call a function of `(connection)` first with each new connection, to log in.

        It may send and receive. What it does not receive goes to the handler of events when it has returned, in order;
        then the `opened` hooks are called, the link is up, and the outbox is sent. If the function raises, or takes
        longer than the option `login_timeout`, the connection is closed with 1011.
        """
        return self._add_hook("login", function, is_of_connection=True)

    def opened(self, function: F) -> F:
        """Call a function of `(connection)` with each new connection: to subscribe, to resume; after `login`.

        The link is up when it returns. If it raises, or takes longer than the option `opened_timeout`, the connection
        is closed with 1011, and dialled again later. It cannot receive: messages go to the handler.
        """
        return self._add_hook("opened", function, is_of_connection=True)

    def closed(self, function: F) -> F:
        """Call a function of `(connection)` when a connection has ended, even if it was never up.

        `connection.failure` is the reason, and its tasks have ended. The next attempt waits for the function, for at
        most the option `opened_timeout`.
        """
        return self._add_hook("closed", function, is_of_connection=True)

    def _add_hook(self, name: str, function: F, is_of_connection: bool = False) -> F:
        if is_of_connection and self.kind in ("polling", "webhook"):
            raise WrongHandler(self.name, f"a function for {name!r}", "it has no connections that open")
        check_value(name, function, Callable)
        self.hooks[name].append(function)
        return function

    def on_change(self, function: F) -> F:
        """Call a function of `(link, old, new)` when the link's state changes."""
        return self._add_hook("on_change", function)

    def on_drop(self, function: F) -> F:
        """Call a function of `(link, dropped)` with the messages that the outbox lets go."""
        return self._add_hook("on_drop", function)

    def resume_from(self, event_id: Any, key: Hashable = None) -> None:
        """Set which event was the last of an earlier run: `Connection.last_id` before the first event."""
        session = self.session(key)
        session.last_id = session.handled_id = event_id
        if event_id is not None:
            session.window.add(event_id)

    # What the program asks

    @property
    def connections(self) -> list[Connection]:
        """The connections that have begun and not ended."""
        return [each for session in self.sessions.values() for each in session.connections]

    @property
    def connection(self) -> Connection | None:
        """An open connection; None if there is none."""
        return next((each for each in self.connections if each.is_open), None)

    @property
    def last_id(self) -> Any:
        """Id of the latest event received from a peer without a key; see `Connection.last_id`."""
        return getattr(self.sessions.get(None), "last_id", None)

    @property
    def handled_id(self) -> Any:
        """Id of the latest event whose handler has returned; keep it for `resume_from`."""
        return getattr(self.sessions.get(None), "handled_id", None)

    @property
    def waiting(self) -> int:
        """Events that wait for the handler or are being handled."""
        return sum(session.waiting for session in self.sessions.values())

    async def send(self, data: Any, *, key: Hashable = None) -> bool:
        """Send a message now, or keep it in the outbox until the link is up.

        `str` and `bytes` go as they are, all else as JSON text; `key` says to which peer, where there are several.
        Returns True if an open connection has taken the message, False if it is kept.

        Raises:
            OutboxFull: The outbox is full, and its policy is "refuse".
            LinkDown: The connection ended while the message was being sent, and the peer may have it; or the peer is
                away, and would not be recognized.
            CannotSend: The link polls, or is a webhook.
            WrongSetup: The link has several peers, and no key says which.
        """
        self._check_sendable()
        if self.kind == "accepted" and key not in self.sessions:
            if key is None:
                raise WrongSetup("key", None, "the key of a peer; `broadcast` sends to all")
            if not self.knows_peers:
                raise LinkDown(self.name, f"peer {key!r} is not connected")
        return await self.session(key).send(data)

    async def call(self, message: Mapping[str, Any], *, within: float | None = None, key: Hashable = None) -> Any:
        """Send a message and wait for its reply; see `Connection.call`.

        Raises `LinkDown` also where the link is not up, and `CannotSend` where it polls, or is a webhook.
        """
        self._check_sendable()
        session = self.sessions.get(key)
        connection = session.sendable if session is not None else None
        if connection is None:
            away = f"peer {key!r} is not connected"
            raise LinkDown(self.name, away if self.kind == "accepted" else self.status.reason)
        return await connection.call(message, within=within)

    def _check_sendable(self) -> None:
        if self.kind in ("polling", "webhook"):
            raise CannotSend(self.name, self.kind)

    async def broadcast(self, data: Any) -> int:
        """Send a message to all open connections that have logged in, at once; return how many have taken it."""
        targets = [each for each in self.connections if each.is_ready and each.is_open]
        results = await asyncio.gather(*(each.send(data) for each in targets), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, LinkDown):
                raise result
        return sum(result is None for result in results)

    # What the kinds of links do

    async def hang_up(self) -> None:
        """End the connections, after draining."""
        await asyncio.gather(*(each.close(*self.goodbye) for each in self.connections), return_exceptions=True)

    def session(self, key: Hashable = None) -> Session:
        """Return the session with a peer; make and start it if there is none."""
        found = self.sessions.get(key)
        if found is None:
            found = self.sessions[key] = Session(self, key)
            if self.home.is_running:
                found.employ()
        return found
