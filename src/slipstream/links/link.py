"""A link: its name, its state, its hooks, its counters, and the sessions with its peers."""

import asyncio
import inspect
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

from slipstream.links.connection import Connection
from slipstream.links.counters import Counters
from slipstream.links.errors import CannotSend, LinkDown, WrongHandler, WrongSetup, ends_task, logger
from slipstream.links.handlers import Handler
from slipstream.links.intake import Receiver
from slipstream.links.outbox import Dropped
from slipstream.links.redact import described
from slipstream.links.rules import Failure
from slipstream.links.session import Session
from slipstream.links.setup import LinkKind, Options, check_value
from slipstream.links.state import LinkState, Moment, Status, moved
from slipstream.links.supervise import Home, Restart

F = TypeVar("F", bound=Callable[..., Any])

Changed = Callable[["Link", Status, Status], Awaitable[None] | None]
"""Called with the link, its old status and its new one."""

_LEVELS = {LinkState.BACKING_OFF: logging.WARNING, LinkState.FAILED: logging.ERROR, LinkState.CONNECTING: logging.DEBUG}


class Runner:
    """The I/O of one kind of link; the defaults are those of a path that others dial."""

    kind: LinkKind
    target: str
    dials = False
    knows_peers = True
    """Whether a peer that comes back is recognized, so that messages can be kept for it."""
    goodbye = 1012, "service restart"
    """Code and reason with which connections are closed at the end."""

    async def run(self, link: "Link") -> None:
        """Keep the link up until it is stopped."""
        link.come_up(f"serving {self.target}")

    async def close(self, link: "Link") -> None:
        """End the connections, after draining."""
        await asyncio.gather(*(each.close(*self.goodbye) for each in link), return_exceptions=True)


class Link:
    """A server that we dial or poll, or a path that others dial; as a decorator it makes a function its handler."""

    def __init__(self, name: str, runner: Runner, options: Options, home: Home) -> None:
        self.name, self.runner, self.options, self.home = name, runner, options, home
        self.kind: LinkKind = runner.kind
        self.clock = home.clock
        self.counters = Counters()
        self.handler: Handler | None = None
        self.receiver: Receiver | None = None
        """Takes the messages of a link that dials in place of its sessions, for programs that deliver themselves."""
        self.cursor: Any = None
        self.status = Status(LinkState.CLOSED, home.clock.now())
        self.latency: float | None = None
        self.sessions: dict[Hashable, Session] = {}
        self.connections: set[Connection] = set()
        self.is_stopping = False
        self.hooks_under_way: set[asyncio.Task[Any]] = set()
        self.main: asyncio.Task[Any] | None = None
        self.revival = Restart()
        self._change: asyncio.Future[None] | None = None
        self.hooks: Mapping[str, list[Callable[..., Any]]] = defaultdict(list)
        """Functions of the program by when they are called: "login", "opened", "closed", "on_change", "on_drop"."""

    def __repr__(self) -> str:
        return f"<Link {self.name} {self.kind} {self.status.state}: {self.status.reason}>"

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
        """Have a handler read annotations with names that were not defined when it was decorated.

        Raises:
            WrongHandler: A name is still not defined, or the handler takes no event.
        """
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
    def state(self) -> LinkState:
        """Where the link stands."""
        return self.status.state

    @property
    def connection(self) -> Connection | None:
        """An open connection; None if there is none."""
        return next((each for each in self.connections if each.is_open), None)

    @property
    def last_id(self) -> Any:
        """Id of the latest event received from a peer without a key; see `Connection.last_id`."""
        session = self.sessions.get(None)
        return session.last_id if session else None

    @property
    def handled_id(self) -> Any:
        """Id of the latest event whose handler has returned; keep it for `resume_from`."""
        session = self.sessions.get(None)
        return session.handled_id if session else None

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
            if not self.runner.knows_peers:
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

    async def wait_for(self, *states: LinkState) -> Status:
        """Wait until the link is in one of the states."""
        while self.status.state not in states:
            if self._change is None:
                self._change = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._change)
        return self.status

    def restart(self) -> None:
        """Dial now, in whatever state, and forget the failures so far.

        An open connection, or an attempt under way, is ended first (1001). A link that others dial has nothing to
        dial: it leaves "failed", and is otherwise unchanged.
        """
        self.revival.set()

    # What the runners say

    def session(self, key: Hashable = None) -> Session:
        """Return the session with a peer; make and start it if there is none."""
        found = self.sessions.get(key)
        if found is None:
            found = self.sessions[key] = Session(self, key)
            if self.home.is_running:
                found.employ()
        return found

    def new_id(self) -> str:
        """Return a name for a connection, which no other has, even if a link is removed and another takes its name."""
        return f"{self.name}#{next(self.home.numbers[self.name])}"

    async def run_hooks(self, name: str, connection: Connection) -> None:
        """Call the hooks of a name one after the other; their errors are raised."""
        for hook in self.hooks[name]:
            result = hook(connection)
            if inspect.isawaitable(result):
                await result

    def move(
        self,
        state: LinkState,
        reason: str,
        failure: Failure | None = None,
        wait: float | None = None,
        now: Moment | None = None,
    ) -> None:
        """Set a new status (see `moved`), log it, call the hooks, and wake the tasks that wait for it."""
        old = self.status
        new = self.status = moved(old, state, now or self.clock.now(), reason, failure, wait)
        if old.state is not new.state:
            due = f", again in {new.retry_at.monotonic - new.since.monotonic:.2f} s" if new.retry_at else ""
            logger.log(
                _LEVELS.get(new.state, logging.INFO), "link %s: %s (%s)%s", self.name, new.state, new.reason, due
            )
        change, self._change = self._change, None
        if change is not None:
            change.set_result(None)
        for hook in (*self.hooks["on_change"], *self.home.hooks):
            self.run_hook(hook, self, old, new)

    def come_up(self, reason: str) -> None:
        """Note that events can come in."""
        if self.status.state is not LinkState.UP and not self.is_stopping:
            self.move(LinkState.UP, reason)

    def launch(self, *, after_restart: bool = False) -> None:
        """Run until stopped; an error of the runner makes the link "failed", until `restart`."""
        self.main = self.home.spawn(self._run(after_restart), f"links: {self.name}", self._fail, self)

    async def _run(self, after_restart: bool) -> None:
        if after_restart:
            await self.revival.wait()
        await self.runner.run(self)

    def _fail(self, error: BaseException) -> None:
        if self.is_stopping:
            return
        self.revival.clear()
        self.launch(after_restart=True)
        logger.critical("link %s: it cannot go on", self.name, exc_info=error)
        try:
            now = self.clock.now()
        except Exception:  # the clock may be what failed
            now = self.status.since
        text = described(error)
        if self.status.state is not LinkState.FAILED:
            self.move(LinkState.FAILED, text, Failure("error", text, side="us"), now=now)

    def report_dropped(self, dropped: list[Dropped]) -> None:
        """Count and log messages that an outbox dropped, and call the hooks."""
        if not dropped:
            return
        self.counters.outbox_dropped += len(dropped)
        logger.warning(
            "link %s: %d messages will not be sent (%s), %d bytes",
            self.name,
            len(dropped),
            ", ".join(sorted({each.reason for each in dropped})),
            sum(each.size for each in dropped),
        )
        for hook in self.hooks["on_drop"]:
            self.run_hook(hook, self, dropped)

    def run_hook(self, hook: Callable[..., Any], *args: Any) -> "asyncio.Task[Any] | None":
        """Call a hook, and return its task if it is async; its errors are logged."""
        try:
            result = hook(*args)
        except BaseException as error:
            if ends_task(error):
                raise
            self._hook_failed(error)
            return None
        if not inspect.isawaitable(result):
            return None
        task = self.home.spawn(result, f"links: {self.name} hook", self._hook_failed, self)
        self.hooks_under_way.add(task)
        task.add_done_callback(self.hooks_under_way.discard)
        return task

    def _hook_failed(self, error: BaseException) -> None:
        logger.error("link %s: a hook failed", self.name, exc_info=error)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self.connections))
