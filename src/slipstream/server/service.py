"""What the connections of one server have in common: settings, time, turns, counts."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from random import random
from time import monotonic
from typing import Any, Final, Protocol
from weakref import WeakSet

from starlette.types import Receive, Scope, Send

from slipstream._engine.types import Reply
from slipstream._foreign.uvicorn_http import without_proxy_headers
from slipstream.applications import FastAPI
from slipstream.server.framing import FRAMING, STATUS_LINE, Headers
from slipstream.server.limits import settings_for
from slipstream.server.log import AccessLog, access_log_for
from slipstream.server.proxies import Proxies

DirectDoor = Callable[[Scope, Receive, Send, bytes, Reply], Awaitable[None]]

MOST_IN_PLACE: Final = 16
"""How many requests are served within the loop's reading before others wait for its next turn."""

LONGEST_TURN: Final = 0.005
"""How many seconds of a turn are given to requests that have waited for it."""

CLOSED_A_SECOND: Final = 200
"""WebSockets, when the server stops."""

NEVER: Final = float("inf")
_MOST_HEADS: Final = 1000
_NO_LIMIT: Final = 1 << 62
_PLAIN: Final = ((b"content-type", b"text/plain; charset=utf-8"),)

_OWN_CALL = FastAPI.__call__
"""Tools may replace it in the class."""


class Connection(Protocol):
    """A connection as the service uses it."""

    deadline: float
    client: tuple[str, int] | None
    is_websocket: bool
    transport: Any

    buffered: int
    """Bytes that were left to be written when that was looked at last."""

    stalled_since: float
    """Since when the client has taken none of these, in the loop's time."""

    def expire(self, now: float) -> None:
        """End what has taken too long; called once a second while the deadline is over."""

    def tick(self, now: float) -> None:
        """Do what is to be done once a second."""

    def go_on(self) -> None:
        """Do what can be done."""

    def drain(self) -> None:
        """Have the response that is under way say that it is the last."""


class Service:
    """What the connections of one server have in common.

    Attributes:
        now: The loop's time, as of the last sweep.
        in_place: How many requests have been served in place since the loop's last turn for others.
        is_bounded: Whether `is_full` has to be asked.
        is_draining: Whether no connection gets another response after its next one.
        health: Paths of liveness and readiness, which the server answers itself; empty if nobody asks.
        idle_deadline: When a connection is closed that is idle from now on.
        context: What the context of each request is a copy of.
        refused: How many requests and connections were refused, by reason.
        most_headers, safe_size: What every head within the limits, and only such a head, may have; the size of a head
            that is within all limits of size.
    """

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], loop: asyncio.AbstractEventLoop):
        self.config, self.state, self.app_state, self.loop = config, server_state, app_state, loop
        settings = settings_for(config)
        self.limits = settings.limits
        limits = self.limits
        self.most_headers = limits.header_count or _NO_LIMIT
        self.is_bounded = limits.requests > 0 or config.limit_concurrency is not None
        self.safe_size = min(each or _NO_LIMIT for each in (limits.request_line, limits.header_line, limits.head_size))
        self.app: Any = config.loaded_app
        inner = without_proxy_headers(self.app)
        self.proxies = Proxies(config.forwarded_allow_ips) if inner is not self.app else Proxies("")
        self.app = inner
        self.asgi = {"version": config.asgi_version, "spec_version": "2.3"}
        self.asgi_of_websockets = {"version": config.asgi_version, "spec_version": "2.4"}
        self.root_path: str = config.root_path
        self.raw_root_path = config.root_path.encode("ascii")
        self.context = Context() if config.reset_contextvars else copy_context()
        self.logger = logging.getLogger("uvicorn.error")
        self.log: AccessLog | None = access_log_for(config, settings, loop)
        self.connections: set[Any] = set()
        self.by_address: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.under_way = 0
        self.is_draining = False
        self.health = settings.health
        self.compressors: dict[int, Any] = {}
        """Of WebSockets that send little, by bits of the window."""
        self._read_clock()
        self._heads: dict[tuple[int, int, int, bytes], tuple[bytes, Headers]] = {}
        self._usual: Headers = ()
        self._usual_lines = b""
        self._sweeping: asyncio.TimerHandle | None = None
        self._waiting: deque[Any] = deque()
        self.in_place = 0
        self._is_turn_asked = False
        self._said: set[str] = set()

    # --- applications and responses ------------------------------------------------------------------------------

    def direct_door(self) -> DirectDoor | None:
        """Return the function by which a `FastAPI` serves a request in one piece; None for any other application."""
        app = self.app
        if not isinstance(app, FastAPI) or type(app).__call__ is not _OWN_CALL:
            return None
        if any(name.lower() in FRAMING for name, _ in self.state.default_headers):
            return None  # `head` has to see them
        return app.serve_direct

    def head(self, status: int, headers: Headers, length: int, last: bytes) -> bytes:
        """Return the head of a direct response; kept for a second, in which the usual headers stay the same.

        Args:
            status: The status.
            headers: Headers of the response, a tuple if they never change.
            length: Size of the content.
            last: A line to put at the end, or nothing.
        """
        if self.state.default_headers is not self._usual or len(self._heads) > _MOST_HEADS:
            self._renew_heads()
        key = (status, length, id(headers), last)
        known = self._heads.get(key)
        if known is not None:
            return known[0]
        lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        made = b"%b%b%bcontent-length: %d\r\n%b\r\n" % (STATUS_LINE[status], self._usual_lines, lines, length, last)
        if type(headers) is tuple:
            self._heads[key] = (made, headers)  # the headers too, so that their id stays theirs
        return made

    def health_at(self, path: str) -> tuple[int, Headers, bytes]:
        """Return status, headers and content of the answer at a path of `health`."""
        if self.is_draining and path == self.health[-1]:
            return 503, _PLAIN, b"draining"
        return 200, _PLAIN, b"ok"

    def head_with(self, status: int, lines: bytes, last: bytes) -> bytes:
        """Return the head of a direct response whose header lines are written already."""
        if self.state.default_headers is not self._usual:
            self._renew_heads()
        return b"%b%b%b%b\r\n" % (STATUS_LINE[status], self._usual_lines, lines, last)

    def _renew_heads(self) -> None:
        self._usual = self.state.default_headers  # uvicorn makes a new list once a second
        self._usual_lines = b"".join(b"%b: %b\r\n" % pair for pair in self._usual)
        self._heads = {}

    # --- connections and time ------------------------------------------------------------------------------------

    def admit(self, connection: Connection) -> str | None:
        """Count a new connection; return why there is no room for it, or None."""
        limits, address = self.limits, connection.client and connection.client[0]
        if limits.connections and len(self.connections) >= limits.connections:
            return "connections"
        if limits.connections_by_address and address:
            if self.by_address[address] >= limits.connections_by_address:
                return "connections_by_address"
            self.by_address[address] += 1
        self.connections.add(connection)
        if self._sweeping is None:
            self._read_clock()
            self._sweeping = self.loop.call_later(1, self._sweep)
        return None

    def dismiss(self, connection: Connection) -> None:
        """Count a connection no more."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        if self.limits.connections_by_address and connection.client:
            address = connection.client[0]
            self.by_address[address] -= 1
            if self.by_address[address] <= 0:
                del self.by_address[address]
        if not self.connections and self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
            if self.log is not None:
                self.log.flush()  # a server that stops has no connections, and no turn of its loop afterwards

    def replace(self, old: Connection, new: Connection) -> None:
        """Count a connection as another that has taken it over."""
        for known in (self.connections, self.state.connections):
            known.discard(old)
            known.add(new)

    def spread(self) -> float:
        """Return in how many seconds to close one of many connections, so that not all clients come back at once.

        0 if the server drains, for then it spreads the calls.
        """
        if self.is_draining:
            return 0
        patience = self.config.timeout_graceful_shutdown
        longest = len(self.connections) / CLOSED_A_SECOND
        window: float = longest if patience is None else min(longest, patience / 2)
        return random() * window

    def _read_clock(self) -> float:
        self.now = now = self.loop.time()
        self.idle_deadline = self.deadline(self.limits.idle_time)
        return now

    def deadline(self, seconds: float) -> float:
        """Return when a time is over that begins now; 0 seconds are for ever."""
        # A second more, since `now` is up to a second old.
        return self.now + seconds + 1 if seconds else NEVER

    def drain(self) -> None:
        """Have every response from now on say that its connection ends; idle connections wait for one request."""
        self.is_draining = True
        for connection in self.connections:
            connection.drain()

    def _sweep(self) -> None:
        """End what has taken too long."""
        now = self._read_clock()
        self._sweeping = self.loop.call_later(1, self._sweep) if self.connections else None
        for connection in tuple(self.connections):
            if connection.deadline <= now:
                connection.expire(now)
            self._check_taken(connection, now)
            connection.tick(now)

    def _check_taken(self, connection: Connection, now: float) -> None:
        """End a connection whose client takes nothing of what it is sent."""
        buffered, limit = connection.transport.get_write_buffer_size(), self.limits.write_time
        if buffered == 0 or buffered < connection.buffered or connection.stalled_since == 0:
            connection.stalled_since = now
        elif limit and now - connection.stalled_since > limit:
            self.refuse("write", "A client does not take what it is sent.")
            connection.transport.abort()
        connection.buffered = buffered

    def is_full(self) -> bool:
        """Whether a request more would be too many."""
        most, of_uvicorn = self.limits.requests, self.config.limit_concurrency
        if most and self.under_way >= most:
            return True
        return of_uvicorn is not None and (
            len(self.state.connections) >= of_uvicorn or len(self.state.tasks) >= of_uvicorn
        )

    def refuse(self, reason: str, sentence: str) -> None:
        """Count a refusal; say the first of its kind in the log."""
        self.refused[reason] += 1
        if reason not in self._said:
            self._said.add(reason)
            self.logger.warning("%s (further ones are counted only: slipstream.server.metrics)", sentence)

    # --- turns ---------------------------------------------------------------------------------------------------

    def soon(self, connection: Connection) -> None:
        """Have a connection go on in the next turn of the loop."""
        self._waiting.append(connection)
        if not self._is_turn_asked:
            self._is_turn_asked = True
            self.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_turn_asked = False
        began = monotonic()
        for _ in range(len(self._waiting)):
            self.in_place = 0
            self._waiting.popleft().go_on()
            if monotonic() - began > LONGEST_TURN:
                break
        self.in_place = 0
        if self._waiting and not self._is_turn_asked:
            self._is_turn_asked = True
            self.loop.call_soon(self._turn)


_services: "WeakSet[Service]" = WeakSet()
"""For `metrics`, which has no other way to them; uvicorn's state of a server keeps its own."""


def service_for(
    config: Any, server_state: Any, app_state: dict[str, Any], loop: asyncio.AbstractEventLoop | None
) -> Service:
    """Return the service of a server, made for its first connection."""
    service: Service | None = getattr(server_state, "slipstream", None)
    if service is None:
        if not config.loaded:
            config.load()
        service = Service(config, server_state, app_state, loop or asyncio.get_event_loop())
        server_state.slipstream = service
        _services.add(service)
    return service


def metrics() -> dict[str, int]:
    """Return counts of this process's servers.

    Returns:
        `connections` (open), `websockets` (of these), `requests` (answered),
        `under_way` (requests whose handlers wait), and
        `refused_…` by reason, such as `refused_431` or `refused_connections`; a reason that has not come is not there.
    """
    counts: Counter[str] = Counter(connections=0, websockets=0, requests=0, under_way=0)
    for service in list(_services):
        counts["connections"] += len(service.connections)
        counts["websockets"] += sum(each.is_websocket for each in service.connections)
        counts["requests"] += service.state.total_requests
        counts["under_way"] += service.under_way
        for reason, number in service.refused.items():
            counts[f"refused_{reason}"] += number
    return dict(counts)
