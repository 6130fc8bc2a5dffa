"""We call them: the links of `slipstream.links`, seen as bots."""

import asyncio
import importlib
import inspect
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypedDict
from urllib.parse import unquote, urlsplit

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
from slipstream.bots.drivers.socket import WebSocket
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
        _check(options, SocketOptions, "setup_websocket")
        given = {key: value for key, value in options.items() if key not in ("name", "backoff", "fatal")}
        own = self._driver.hub.options
        given = {
            "max_message": own.ws_max_size,
            "ping_interval": own.ws_ping_interval,
            "ping_timeout": own.ws_ping_timeout or 86400.0,
            "headers": {},
            **given,
        }
        chosen = options.get("backoff")
        dialled = _Dialled(self._driver, setup, lambda each: _as_socket(each, chosen, given))
        link = self._links.websocket(dialled.ask, **self._checked(dialled, setup, options, "websocket"))
        link.opened(dialled.opened)
        link.on_change(dialled.changed)
        link.receiver = dialled
        return link

    def poll(self, setup: HTTPPOLLING_SETUP, options: PollOptions) -> Link:
        """Poll; see `Driver.setup_http_polling`."""
        _check(options, PollOptions, "setup_http_polling")
        apart = ("name", "backoff", "fatal", "cursor", "cursor_param", "start", "on_cursor")
        given = {key: value for key, value in options.items() if key not in apart}
        given = {"max_message": self._driver.hub.options.ws_max_size, "conditional": False, **given}
        chosen = options.get("backoff")
        polled = _Polled(self._driver, setup, lambda each: _as_poll(each, chosen, given), "cursor" in options)
        link = self._links.poll(
            polled.ask,
            cursor=options.get("cursor"),
            cursor_param=options.get("cursor_param"),
            start=options.get("start"),
            on_cursor=options.get("on_cursor"),
            **self._checked(polled, setup, options, "polling"),
        )
        link.on_change(polled.changed)
        link(polled.handle)
        return link

    def check(self) -> None:
        """Raise UnknownAdapter, at start-up, for a setup that names none."""
        for setup in self._fixed:
            if setup.adapter not in self._driver.adapters:
                raise UnknownAdapter(setup.adapter)

    def _checked(self, source: "_Source", setup: Any, options: DialOptions, kind: str) -> dict[str, Any]:
        """Check a setup, and return the arguments that both kinds of links have."""
        if isinstance(setup, source.kind):
            check(source.convert(setup))
            self._fixed.append(setup)
        elif not callable(setup):
            raise _no_setup(setup, source.kind)
        return {
            "name": options["name"] if "name" in options else self._free_name(setup, kind),
            "queue": 16,
            "outbox": 0,
            "dedupe": 0,
            "backoff": options.get("backoff") or _backoff(_UNTOLD),
            "fatal": options.get("fatal") or Fatal(),
        }

    def _free_name(self, setup: Any, kind: str) -> str:
        stem = kind if callable(setup) else f"{setup.adapter}/{setup.self_id}"
        names = (stem if number == 1 and not callable(setup) else f"{stem}-{number}" for number in range(1, 2**31))
        return next(name for name in names if name not in self._links)


class _Source:
    """What a link dials, asked for at each attempt, and the bot of the connection."""

    kind: type[WebSocketSetup] | type[HTTPPollingSetup]

    def __init__(self, driver: Driver, source: Any, convert: Callable[[Any], Any]) -> None:
        self._driver, self._source, self.convert = driver, source, convert
        self._asked: Any = None
        self._presence: Presence | None = None

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
            raise _no_setup(setup, self.kind)
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

    kind = WebSocketSetup
    takes_bytes = True
    _early: tuple[str | bytes, Intake] | None = None

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

    kind = HTTPPollingSetup

    def __init__(self, driver: Driver, source: Any, convert: Callable[[Any], Any], is_awaited: bool) -> None:
        super().__init__(driver, source, convert)
        self._is_awaited = is_awaited

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
        parts = urlsplit(setup.url)
        headers = {name.lower(): value for name, value in setup.headers.items()}
        request = HTTPRequest(
            setup.http_version,
            parts.scheme,
            unquote(parts.path) or "/",
            parts.query.encode(),
            headers,
            setup.method,
            setup.body or b"",
        )
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


def _no_setup(given: object, kind: type) -> WrongSetup:
    return WrongSetup("setup", type(given).__name__, f"a {kind.__name__}, or a function that makes one")


def _backoff(interval: float) -> Backoff:
    first = max(interval, _LEAST)
    return Backoff(first=first, limit=max(60.0, first))


def _as_socket(setup: WebSocketSetup, chosen: Backoff | None, given: Mapping[str, Any]) -> links.WebSocketSetup:
    waits = chosen or _backoff(setup.reconnect_interval)
    return links.WebSocketSetup(setup.url, **{**given, "headers": setup.headers, "backoff": waits})


def _as_poll(setup: HTTPPollingSetup, chosen: Backoff | None, given: Mapping[str, Any]) -> links.PollingSetup:
    if setup.http_version not in ("1.0", "1.1", "2"):
        raise WrongSetup("http_version", setup.http_version, '"1.0", "1.1" or "2"')
    more: dict[str, Any] = {}
    if setup.http_version == "1.0":
        tls, proxy, module = given.get("tls", TLS()), given.get("proxy"), "slipstream.links.httpx_additions"
        more["transport"] = lambda: importlib.import_module(module).OldTransport(tls.build(), proxy)
    elif setup.http_version == "2":
        more["http2"] = True
    return links.PollingSetup(
        setup.url,
        method=setup.method,
        content=setup.body or None,
        headers=setup.headers,
        interval=max(setup.poll_interval, _LEAST),
        backoff=chosen or _backoff(setup.poll_interval),
        **more,
        **given,
    )


def _check(options: Mapping[str, Any], known: Any, function: str) -> None:
    for name in options:
        if name not in known.__optional_keys__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
