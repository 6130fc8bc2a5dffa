"""We call them: the links of `slipstream.links`, seen as bots."""

import asyncio
import importlib
import inspect
import itertools
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypedDict

from slipstream import links
from slipstream.bots.connections import (
    HTTPPOLLING_SETUP,
    WEBSOCKET_SETUP,
    HTTPPollingSetup,
    HTTPRequest,
    WebSocketSetup,
)
from slipstream.bots.delivery import QueueFull
from slipstream.bots.drivers.base import Driver
from slipstream.bots.drivers.socket import WebSocket, parts_of_url
from slipstream.bots.exception import BotExists, UnknownAdapter, WebSocketClosed
from slipstream.bots.hub import Presence
from slipstream.links import TLS, Backoff, Connection, Fatal, Link, Links, LinkState, Status, Timeouts
from slipstream.links.errors import WrongSetup
from slipstream.links.intake import Intake
from slipstream.links.setup import check

logger = logging.getLogger("slipstream.bots")

_LEAST = 0.001
"""Seconds; what an interval of 0 becomes."""

_UNTOLD = 3.0
"""Seconds; the interval before a function has given a setup."""

_OF_LINK = frozenset({"name", "backoff", "fatal"})
_OF_CURSOR = frozenset({"cursor", "cursor_param", "start", "on_cursor"})


class DialOptions(TypedDict, total=False):
    """How to dial, beside what the setup says.

    Args:
        name: Name of the link in logs, health and metrics. Default: "adapter/self_id", or "adapter-1" and so on.
        tls: Verification and client certificate.
        proxy: Address of a proxy: `http://`, `https://`, or, with `slipstream[socks]`, `socks5h://` and its like.
        trust_env: Whether to take a proxy from the environment where none is given. Default: no.
        cookies: Cookies to send.
        timeouts: How long to wait for what.
        max_message: Most bytes of a message or an answer. Default: `slipstream_ws_max_size`, 16 MiB.
        backoff: How long to wait between attempts. Default: at first less than the setup's interval, at last less than
            60 seconds. Where a function has not given a setup yet: at first less than 3 seconds.
        fatal: Which ends mean that trying again is useless; the link is then `failed`, and says why. Default: 401, 403
            or 404, three times in a row.
    """

    name: str
    tls: TLS
    proxy: str | None
    trust_env: bool
    cookies: Mapping[str, str]
    timeouts: Timeouts
    max_message: int
    backoff: Backoff
    fatal: Fatal


class SocketOptions(DialOptions, total=False):
    """How to dial a WebSocket.

    Args:
        subprotocols: Sub-protocols to offer.
        ping_interval: Seconds between pings; None: none. Default: `slipstream_ws_ping_interval`, 20.
        ping_timeout: Seconds to wait for the answer to a ping. Default: `slipstream_ws_ping_timeout`, 20.
        compression: Whether to offer permessage-deflate. Default: yes.
    """

    subprotocols: tuple[str, ...]
    ping_interval: float | None
    ping_timeout: float
    compression: bool


class PollOptions(DialOptions, total=False):
    """How to poll.

    Args:
        long_poll: Whether the peer holds a request until it has something to send. Default: no.
        conditional: Whether to send `If-None-Match` and `If-Modified-Since`; what has not changed is then not handled
            again. Default: no.
        cursor: Where the next cursor stands in an answer: a field's name, or a function of the `Answer`. It moves when
            the answer has been handled.
        cursor_param: Query parameter that carries the cursor.
        start: The first cursor.
        on_cursor: Called with each new cursor.
    """

    long_poll: bool
    conditional: bool
    cursor: str | Callable[[Any], Any] | None
    cursor_param: str | None
    start: Any
    on_cursor: Callable[[Any], Any] | None


class Forward:
    """Dials and polls by links."""

    def __init__(self, driver: Driver, links: Links) -> None:
        self._driver, self._links = driver, links
        self._fixed: list[WebSocketSetup | HTTPPollingSetup] = []

    def websocket(self, setup: WEBSOCKET_SETUP, options: SocketOptions) -> Link:
        """Dial; see `Driver.setup_websocket`."""
        dialled = _Dialled(self._driver, setup, options)
        link = self._links.websocket(dialled.ask, **self._checked(dialled, setup, options))
        link.opened(dialled.opened)
        link.on_change(dialled.changed)
        link.receiver = dialled
        return link

    def poll(self, setup: HTTPPOLLING_SETUP, options: PollOptions) -> Link:
        """Poll; see `Driver.setup_http_polling`."""
        polled = _Polled(self._driver, setup, options)
        cursor: dict[str, Any] = {name: value for name, value in options.items() if name in _OF_CURSOR}
        link = self._links.poll(polled.ask, **cursor, **self._checked(polled, setup, options))
        link.on_change(polled.changed)
        link(polled.handle)
        return link

    def check(self) -> None:
        """Raise UnknownAdapter, at start-up, for a setup that names none."""
        for setup in self._fixed:
            if setup.adapter not in self._driver.adapters:
                raise UnknownAdapter(setup.adapter)

    def _checked(self, source: "_Source", setup: Any, options: DialOptions) -> dict[str, Any]:
        """Check a setup, and return the arguments that both kinds of links have."""
        stem, is_fixed = source.stem, isinstance(setup, source.kind)
        if is_fixed:
            check(source.convert(setup))
            self._fixed.append(setup)
            stem = f"{setup.adapter}/{setup.self_id}"
        elif not callable(setup):
            raise source.no_setup(setup)
        names = (stem if is_fixed and number == 1 else f"{stem}-{number}" for number in itertools.count(1))
        return {
            "name": options["name"] if "name" in options else next(name for name in names if name not in self._links),
            "queue": 16,
            "outbox": 0,
            "dedupe": 0,
            "backoff": options.get("backoff") or _backoff(_UNTOLD),
            "fatal": options.get("fatal") or Fatal(),
        }


class _Source:
    """What a link dials, asked for at each attempt, and the bot of the connection."""

    kind: type[WebSocketSetup] | type[HTTPPollingSetup]
    options: Any
    function: str
    stem: str

    def __init__(self, driver: Driver, source: Any, options: Mapping[str, Any], **defaults: Any) -> None:
        for name in options.keys() - self.options.__optional_keys__:
            raise TypeError(f"{self.function}() got an unexpected keyword argument {name!r}")
        self._driver, self._source = driver, source
        self._backoff: Backoff | None = options.get("backoff")
        of_setup = {name: value for name, value in options.items() if name not in _OF_LINK | _OF_CURSOR}
        self._how = {"max_message": driver.hub.options.ws_max_size, **defaults, **of_setup}
        self._asked: Any = None
        self._presence: Presence | None = None

    def convert(self, setup: Any) -> links.WebSocketSetup | links.PollingSetup:
        """Return a setup as links have it."""
        raise NotImplementedError

    def no_setup(self, given: object) -> WrongSetup:
        """Return the error that says that something is no setup."""
        return WrongSetup("setup", type(given).__name__, f"a {self.kind.__name__}, or a function that makes one")

    async def ask(self) -> Any:
        """Give the link its setup.

        Raises:
            WrongSetup: The function gave none.
            UnknownAdapter: It names no adapter.
            BotExists: Another connection has the id; the link backs off, and asks again.
        """
        setup = self._source() if callable(self._source) else self._source
        setup = await setup if inspect.isawaitable(setup) else setup
        if not isinstance(setup, self.kind):
            raise self.no_setup(setup)
        if setup.adapter not in self._driver.adapters:
            logger.error("a link cannot be made: there is no adapter %r", setup.adapter)
            raise UnknownAdapter(setup.adapter)
        holder = self._driver.hub.clients.get(setup.self_id)
        if holder is not None and (self._presence is None or holder is not self._presence.bot):
            logger.warning("a link has to wait: bot %s is connected already", setup.self_id)
            raise BotExists(setup.self_id)
        converted = self.convert(setup)
        self._asked = setup
        return converted

    def leave(self) -> None:
        """The connection has ended."""
        presence, self._presence = self._presence, None
        if presence is not None:
            self._driver.hub.leave(presence)


class _Dialled(_Source):
    """A WebSocket that we dial."""

    kind, options, function, stem = WebSocketSetup, SocketOptions, "setup_websocket", "websocket"
    takes_bytes = True
    _early: tuple[str | bytes, Intake] | None = None

    def __init__(self, driver: Driver, source: Any, options: Mapping[str, Any]) -> None:
        own = driver.hub.options
        pings = {"ping_interval": own.ws_ping_interval, "ping_timeout": own.ws_ping_timeout or 86400.0}
        super().__init__(driver, source, options, **pings)

    def convert(self, setup: WebSocketSetup) -> links.WebSocketSetup:
        waits = self._backoff or _backoff(setup.reconnect_interval)
        return links.WebSocketSetup(setup.url, headers=setup.headers, backoff=waits, **self._how)

    def opened(self, connection: Connection) -> None:
        """Make the bot of a connection."""
        setup: WebSocketSetup = self._asked
        socket = WebSocket.outgoing(connection, setup.headers)
        bot = self._driver.adapters[setup.adapter](setup.self_id, socket)
        self._presence = self._driver.hub.connect(setup.adapter, bot, socket)
        socket.read_by_driver(self.leave, partial(self._driver.hub.take_back, self._presence))
        self._presence.counters = connection.link.counters
        connection.state["bot"] = self._presence
        self._driver.hub.announce(self._presence)
        early, self._early = self._early, None
        if early is not None and self.take(connection, *early, is_alone=False):
            early[1].go_on()

    def take(self, connection: Connection, message: str | bytes, reader: Intake, is_alone: bool) -> bool:
        """Take the first message for the bot of the connection, which takes the others; it waits for the bot."""
        presence: Presence | None = connection.state.get("bot")
        if presence is None:
            self._early = message, reader
            return False
        reader.receiver = presence
        return presence.take(connection, message, reader, is_alone)

    def changed(self, link: Link, old: Status, new: Status) -> None:
        """Let the bot go when its connection has ended."""
        if new.state is LinkState.UP:
            return
        self._early = None
        # Whatever the state before: a hook of the program may fail when the bot is there and the link not yet up.
        if self._presence is not None:
            socket = self._presence.bot.request
            if isinstance(socket, WebSocket):
                socket.ended(WebSocketClosed(None, new.reason))
        self.leave()


class _Polled(_Source):
    """An HTTP server that we poll; its bot is connected from the first answer on."""

    kind, options, function, stem = HTTPPollingSetup, PollOptions, "setup_http_polling", "polling"

    def __init__(self, driver: Driver, source: Any, options: Mapping[str, Any]) -> None:
        super().__init__(driver, source, options, conditional=False)
        self._is_awaited = "cursor" in options

    def convert(self, setup: HTTPPollingSetup) -> links.PollingSetup:
        if setup.http_version not in ("1.0", "1.1", "2"):
            raise WrongSetup("http_version", setup.http_version, '"1.0", "1.1" or "2"')
        more: dict[str, Any] = {"http2": setup.http_version == "2"}
        if setup.http_version == "1.0":
            tls, proxy, module = self._how.get("tls", TLS()), self._how.get("proxy"), "slipstream.links.httpx_additions"
            more["transport"] = lambda: importlib.import_module(module).OldTransport(tls.build(), proxy)
        return links.PollingSetup(
            setup.url,
            method=setup.method,
            content=setup.body or None,
            headers=setup.headers,
            interval=max(setup.poll_interval, _LEAST),
            backoff=self._backoff or _backoff(setup.poll_interval),
            **more,
            **self._how,
        )

    def changed(self, link: Link, old: Status, new: Status) -> None:
        """Make the bot with the first answer; let it go when none comes any more."""
        if new.state is LinkState.UP:
            self._enter()
        elif old.state is LinkState.UP:
            self.leave()

    def _enter(self) -> Presence:
        """Make the bot that the last setup names, unless it is there."""
        setup: HTTPPollingSetup = self._asked
        now = self._presence
        if now is not None and (now.adapter, now.bot.self_id) == (setup.adapter, setup.self_id):
            return now
        self.leave()
        parts = parts_of_url(setup.http_version, setup.url, setup.headers)
        request = HTTPRequest(*parts, setup.method, setup.body or b"")
        bot = self._driver.adapters[setup.adapter](setup.self_id, request)
        self._presence = self._driver.hub.connect(setup.adapter, bot)
        self._driver.hub.announce(self._presence)
        return self._presence

    async def handle(self, connection: Connection, event: bytes) -> None:
        """Put an answer into the bot's queue."""
        presence = self._enter()
        outcome: asyncio.Future[None] | None = None
        if self._is_awaited:
            outcome = asyncio.get_running_loop().create_future()
        try:
            is_taken = await presence.channel.deliver(presence.bot, event, outcome)
        except QueueFull:
            logger.warning("bot %s: the queue is full, an answer is dropped", presence.channel.name)
            return
        if is_taken and outcome is not None:
            await outcome


def _backoff(interval: float) -> Backoff:
    first = max(interval, _LEAST)
    return Backoff(first=first, limit=max(60.0, first))
