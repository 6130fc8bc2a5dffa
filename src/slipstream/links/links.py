"""An application's links: declared by decorators, and run under its lifespan."""

import asyncio
import random as lots
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Annotated, Any, TypeVar, Unpack, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from slipstream.applications import FastAPI
from slipstream.links.counters import Counters
from slipstream.links.errors import WrongSetup, logger
from slipstream.links.health import LinkHealth, exposition, health_of
from slipstream.links.inbound import AcceptedLink, Duplicates, Permission, WebhookLink
from slipstream.links.link import Changed, Link
from slipstream.links.rules import Random
from slipstream.links.setup import (
    Count,
    Field,
    LinkOptions,
    MiB,
    PollingSetup,
    Rule,
    Seconds,
    Size,
    WebSocketSetup,
    Words,
    check_value,
    check_values,
    load,
)
from slipstream.links.state import Clock, LinkState
from slipstream.links.supervise import Home, working_for
from slipstream.params import Depends

F = TypeVar("F", bound=Callable[..., Any])
L = TypeVar("L", bound=Link)

Dependencies = Annotated[
    Sequence[Depends],
    Rule(
        lambda value: isinstance(value, Sequence) and all(isinstance(each, Depends) for each in value),
        "a list of Depends(...)",
    ),
]
_Drain = Annotated[float, Rule(lambda value: isinstance(value, int | float) and value >= 0, "0 or more seconds")]

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")


class Links(Home):
    """The links of a program: servers that it dials, and paths that others dial.

    `websocket`, `poll`, `accept` and `webhook` return a `Link`, to be kept, or used as a decorator of its handler. Each
    takes `LinkOptions`, and raises `WrongSetup` if the name is taken or an argument is wrong.

    Args:
        app: Application whose lifespan starts and stops the links; or call `attach` later.
        drain: Seconds that handlers have, at shutdown, for what has been received. Default: 10.
        clock: The time. Default: the system's.
        random: Draws evenly from [0, 1).
    """

    def __init__(
        self,
        app: FastAPI | None = None,
        *,
        drain: _Drain = 10.0,
        clock: Clock | None = None,
        random: Random = lots.random,
    ) -> None:
        check_value("drain", drain, _Drain)
        check_value("random", random, Random)
        super().__init__(clock or Clock(), random)
        self._drain = drain
        self._links: dict[str, Link] = {}
        self._leaving: set[asyncio.Task[Any]] = set()
        self._names: defaultdict[str, Iterator[int]] = defaultdict(partial(count, 1))
        self._mounts: list[Callable[[FastAPI], None]] = []
        if app is not None:
            self.attach(app)

    # Where they run

    def attach(self, app: FastAPI) -> None:
        """Run under an application's lifespan, and become its `app.links`.

        The links start after what the lifespan has by now, and stop before it: attach them, and include routers that
        have a lifespan of their own, in the order in which they need each other.

        Raises:
            WrongSetup: The links, or the application, are attached already.
        """
        if self.app is not None or getattr(app, "links", None) is not None:
            raise WrongSetup("app", app, "an application without links, once")
        self.app = app
        app.links = self
        outer = cast(Any, app.router.lifespan_context)

        @asynccontextmanager
        async def lifespan(asgi_app: Any) -> AsyncGenerator[Mapping[str, Any] | None, None]:
            async with outer(asgi_app) as left:
                self.lifespan_state = left or {}
                async with self.running():
                    yield left

        app.router.lifespan_context = cast(Any, lifespan)
        for mount in self._mounts:
            mount(app)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Links", None]:
        """Run the links while the context is open; for programs without an application.

        Raises:
            WrongHandler: A name in an annotation of a handler is not defined.
        """
        for link in self._links.values():
            if link.handler is not None:
                link.settle(link.handler)
        async with self.supervised():
            for link in self:
                self._start(link)
            try:
                yield self
            finally:
                await asyncio.gather(self._end_stop(self._begin_stop(*self)), *self._leaving)

    # What the program declares

    def websocket(self, setup: "str | WebSocketSetup | Callable[[], Any]", **options: Unpack[LinkOptions]) -> Link:
        """Dial a WebSocket server, and dial again whenever the connection ends.

        Args:
            setup: Its address, a `WebSocketSetup`, or a function, async or not, that returns one for each attempt.

        Raises:
            MissingLibrary: The package websockets is not installed, or python-socks for a SOCKS proxy.
        """
        module = load("slipstream.links.websocket", "websockets", "a WebSocket link")
        link: Link = module.WebSocketLink(self, options, setup)
        return self._add(link)

    def poll(
        self,
        setup: "str | PollingSetup | Callable[[], Any]",
        *,
        interval: Seconds | None = None,
        events: Field | None = None,
        cursor: Field | None = None,
        cursor_param: str | None = None,
        start: Any = None,
        on_cursor: Callable[[Any], Any] | None = None,
        overlap: Count = 0,
        **options: Unpack[LinkOptions],
    ) -> Link:
        """Ask an HTTP server again and again.

        Args:
            setup: Its address, a `PollingSetup`, or a function, async or not, that returns one for each request.
            interval: Seconds between an answer and the next request, where `setup` is an address. Default: 5.
            events: Where the events stand in an answer: a field's name such as "result" or "data.items", or a
                function of the `Answer`. Default: the whole answer is one event.
            cursor: Where the next cursor stands in an answer: a field's name, or a function of the `Answer`; None
                from it keeps the cursor.
            cursor_param: Query parameter that carries the cursor. A function as `setup` can use `link.cursor`.
            start: The first cursor. Default: None, sent as no parameter.
            on_cursor: Called with each new cursor, when the events before it have been handled; store it there.
            overlap: How many answers may still be in handling during the next request. Default: 0: a cursor is sent
                only when all events before it have been handled, so that a crash loses none.

        Raises:
            MissingLibrary: The package httpx2 is not installed, or socksio for a SOCKS proxy, or h2 for HTTP/2.
        """
        module = load("slipstream.links.polling", "httpx2", "a polling link")
        if interval is not None:
            if not isinstance(setup, str):
                raise WrongSetup("interval", interval, "the interval in the setup itself, where that is no address")
            setup = PollingSetup(setup, interval=interval)
        link: Link = module.PollingLink(self, options, setup, events, cursor, cursor_param, start, on_cursor, overlap)
        check_values(Links.poll, locals())
        return self._add(link)

    def accept(
        self,
        path: str,
        *,
        key: Field | None = None,
        permission: Permission | None = None,
        duplicates: Duplicates = "refuse",
        subprotocols: Words = (),
        dependencies: Dependencies = (),
        max_message: Size = MiB,
        silence: Seconds | None = None,
        remember: Count = 1024,
        **options: Unpack[LinkOptions],
    ) -> Link:
        """Serve a WebSocket that others dial.

        Args:
            path: Path, perhaps with parameters: "/ws/{id}".
            key: What tells one peer from another: a path parameter's name, or a function, async or not, of the
                WebSocket. If it returns a `Response` or raises `HTTPException`, the peer is refused with that; if it
                raises anything else, with 403. The queue, dedupe window and outbox of a peer with a key outlive its
                connection. Default: each connection is a peer of its own.
            permission: A function, async or not, of the WebSocket, called first. True admits the peer, and so does a
                mapping, whose items become headers of the answer to the handshake. A `Response` that it returns and
                an `HTTPException` that it raises refuse the peer with that status, headers and body; whatever else
                it returns or raises, None included, with 403. A server that lacks ASGI's "websocket.http.response"
                always sends 403. Together `permission` and `key` have the seconds of the option `opened_timeout`;
                then the peer is refused with 503. Default: every peer is admitted.
            duplicates: What to do when a peer that is connected connects again: "refuse" the newer (403),
                "replace" the older (closed with 4409), or "allow" both.
            subprotocols: Those to agree to.
            dependencies: `Depends(...)` to run before the connection is accepted; raise there to refuse it.
            max_message: Most bytes of a message, beside the server's own limit; the connection ends with 1009 at
                more. Default: 1 MiB.
            silence: Seconds without a message after which the connection is closed. Default: None; the server pings.
            remember: How many absent peers to remember; then the longest absent is forgotten. Default: 1024.
        """
        check_values(Links.accept, locals())
        if isinstance(key, str) and key not in _PARAMETER.findall(path):
            raise WrongSetup("key", key, f"a parameter of the path {path!r}, or a function of the WebSocket")
        known_by = (lambda websocket: websocket.path_params[key]) if isinstance(key, str) else key
        limits = max_message, silence, remember
        link = self._add(AcceptedLink(self, options, path, known_by, permission, duplicates, subprotocols, *limits))
        self._mount(lambda app: link.mount(app, dependencies))
        return link

    def webhook(
        self,
        path: str,
        *,
        wait: bool = True,
        dependencies: Dependencies = (),
        max_message: Size = MiB,
        **options: Unpack[LinkOptions],
    ) -> Link:
        """Serve a path to which others POST events.

        Args:
            path: Path, perhaps with parameters.
            wait: Whether to answer when the event has been handled: 200 with what the handler returns as JSON, 204
                if that is None, 500 if it raises. Otherwise 202 as soon as the event is in the queue.
            dependencies: `Depends(...)` to run first; check signatures there.
            max_message: Most bytes of a body; 413 at more. Default: 1 MiB.
            options: Unless the policy is "wait", a full queue means 503 with `Retry-After`.
        """
        check_values(Links.webhook, locals())
        link = self._add(WebhookLink(self, options, path, wait, max_message))
        self._mount(lambda app: link.mount(app, dependencies))
        return link

    def on_change(self, function: F) -> F:
        """Call a function of `(link, old, new)` when any link's state changes."""
        check_value("on_change", function, Changed)
        self.hooks.append(function)
        return function

    def serve_health(self, path: str = "/health/links", *, metrics: str | None = None) -> None:
        """Serve the links' health as JSON, 503 while one has failed; and on `metrics` Prometheus' text format."""

        async def serve_health(request: Request) -> Response:
            content = {"healthy": self.is_healthy, "links": [each.as_dict() for each in self.health()]}
            return JSONResponse(content, status_code=200 if self.is_healthy else 503)

        async def serve_metrics(request: Request) -> Response:
            return PlainTextResponse(self.metrics(), media_type="text/plain; version=0.0.4")

        self._mount(lambda app: app.add_route(path, serve_health, include_in_schema=False))
        if metrics is not None:
            self._mount(lambda app: app.add_route(metrics, serve_metrics, include_in_schema=False))

    # What the program asks

    def __getitem__(self, name: str) -> Link:
        return self._links[name]

    def __iter__(self) -> Iterator[Link]:
        return iter(tuple(self._links.values()))

    def __len__(self) -> int:
        return len(self._links)

    def __contains__(self, name: object) -> bool:
        return name in self._links

    def health(self) -> list[LinkHealth]:
        """Describe each link, as data."""
        return [health_of(link, self.clock.now()) for link in self]

    @property
    def is_healthy(self) -> bool:
        """Whether no link has failed."""
        return all(link.state is not LinkState.FAILED for link in self)

    def metrics(self) -> str:
        """Write state and counters of the links in Prometheus' text format."""
        return exposition(self.health())

    async def remove(self, name: str) -> None:
        """Stop a link, as at shutdown, and forget it. Paths that others dial stay, and refuse.

        If a handler, hook or task of the link itself removes it, the link is closed at once, and events that wait are
        lost. A handler that removes it may finish within `Links(drain=)` seconds, and can still send; then the
        connection is closed. Other functions of the link (hooks, setups, tasks of a connection, handlers that hold
        one) are cancelled with it, where they next wait.

        Raises:
            KeyError: No link has this name.
        """
        link = self._links.pop(name)
        self.dialling -= link.dials
        if not self.is_running:
            return
        if working_for.get() is not link:
            await self._end_stop(self._begin_stop(link))
            return
        before = self._begin_stop(link)
        for session in link.sessions.values():
            for inbox in session.inboxes:
                inbox.clear()
        if link.state is not LinkState.CLOSED:
            link.move(LinkState.CLOSED, "removed")
        stopping = self.spawn(self._end_stop(before), f"links: end of {name}")
        self._leaving.add(stopping)
        stopping.add_done_callback(self._leaving.discard)

    # Beneath

    def _mount(self, mount: Callable[[FastAPI], None]) -> None:
        self._mounts.append(mount)
        if self.app is not None:
            mount(self.app)

    def _add(self, link: L) -> L:
        name = link.options.name
        if name is None:  # and no earlier link has had: else metrics and logs of two would be taken for one's
            names = (f"{link.kind}-{number}" for number in self._names[link.kind])
            name = next(each for each in names if each not in self._links)
        if name in self._links:
            raise WrongSetup("name", name, "a name that no other link has")
        link.name = name
        self._links[name] = link
        self.dialling += link.dials
        if self.is_running:
            # A decorator sets the handler in this step of the event loop; the link starts in the next.
            asyncio.get_running_loop().call_soon(self._start, link)
        return link

    def _start(self, link: Link) -> None:
        if link.main is not None or not self.is_running or self._links.get(link.name) is not link:
            return  # it has ended, or begun, since it was declared
        link.is_stopping = False
        link.revival.clear()
        for session in link.sessions.values():
            session.employ()
        link.main = self.spawn(link.keep_up(), f"links: {link.name}", link=link)

    def _begin_stop(self, *links: Link) -> Mapping[Link, Counters]:
        """Let no new events in; return a copy of the counters."""
        for link in links:
            link.is_stopping = True
            for session in link.sessions.values():
                session.inbox.is_stopping = True
            if link.main is not None and (link.state is not LinkState.UP or link.kind == "polling"):
                link.main.cancel()
        return {link: replace(link.counters) for link in links}

    async def _end_stop(self, links: Mapping[Link, Counters]) -> None:
        """Handle what has been received, end the connections, log what is lost."""
        joins = [asyncio.ensure_future(session.join()) for link in links for session in link.sessions.values()]
        if joins:
            _, late = await asyncio.wait(joins, timeout=self._drain)
            for join in late:
                join.cancel()
        await asyncio.gather(*(link.hang_up() for link in links), return_exceptions=True)
        for link, before in links.items():
            main, link.main = link.main, None
            if main is not None:
                main.cancel()
                await asyncio.wait({main})
            await self._say_goodbye(link, before)

    async def _say_goodbye(self, link: Link, before: Counters) -> None:
        now = self.clock.now()
        for session in link.sessions.values():
            await session.dismiss()
            link.report_dropped(session.outbox.clear(now.monotonic))
        if link.state is not LinkState.CLOSED:
            link.move(LinkState.CLOSED, "shutting down")
        if link.hooks_under_way:
            await asyncio.wait(link.hooks_under_way, timeout=self._drain)
        lost, refused = link.counters.lost - before.lost, link.counters.refused - before.refused
        if lost or refused:
            logger.warning(
                "link %s: stopped; %d events received and not handled, %d events read and refused",
                link.name,
                lost,
                refused,
            )
