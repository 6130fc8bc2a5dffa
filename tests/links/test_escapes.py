"""Whatever a function of the program raises, wherever: a link goes on, or says that it has failed."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from websockets.asyncio.server import ServerConnection

from slipstream.links import Connection, Link, Links, LinkState, PollingSetup, WebSocketSetup
from slipstream.links.rules import Turnstile
from slipstream.links.state import Clock, Moment

from .support import QUICK, Event, Peer, until

pytestmark = pytest.mark.anyio
Start = Callable[..., Awaitable[Peer]]


class Wordless(Exception):
    """An error that cannot even be written down."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Rude(BaseException):
    """What `except Exception` lets through."""


ERRORS: dict[str, Callable[[], BaseException]] = {
    "Exception": lambda: ValueError("for the test"),
    "Wordless": Wordless,
    "StopIteration": StopIteration,
    "GeneratorExit": GeneratorExit,
    "group": lambda: BaseExceptionGroup("both", [ValueError("one"), Rude()]),
    "cancelled": asyncio.CancelledError,
}


class Trap:
    """Raises where the test says so, once."""

    def __init__(self, point: str, error: Callable[[], BaseException]) -> None:
        self._point, self._error = point, error
        self.is_set = self.has_sprung = False

    def __call__(self, point: str, result: Any = None) -> Any:
        if point == self._point and self.is_set and not self.has_sprung:
            self.has_sprung = True
            raise self._error()
        return result

    async def later(self, point: str, result: Any = None) -> Any:
        await asyncio.sleep(0)
        return self(point, result)


class TrappedClock(Clock):
    def __init__(self, trap: Trap) -> None:
        self._trap = trap

    def now(self) -> Moment:
        moment: Moment = self._trap("clock.now", super().now())
        return moment

    async def sleep(self, seconds: float) -> None:
        self._trap("clock.sleep")
        await super().sleep(seconds)


async def talk(connection: ServerConnection) -> None:
    """Send two events with each connection, and end it by a close code, but for what comes in: that lengthens it."""
    for number in (1, 2):
        await connection.send(json.dumps({"id": number}))
    await connection.close(4000)


def spawn(connection: Connection, trap: Trap) -> None:
    connection.spawn(trap.later("task"))


def dialled(links: Links, trap: Trap, point: str, url: str, seen: list[object]) -> Link:
    def setup() -> Any:
        return trap("setup", WebSocketSetup(url))

    async def setup_later() -> Any:
        return await trap.later("setup, awaited", WebSocketSetup(url))

    link = links.websocket(
        setup if point == "setup" else setup_later,
        name="prone",
        backoff=QUICK,
        event_id=lambda event: trap("event_id"),
        outbox=1,
    )
    link.login(lambda connection: trap("login"))
    link.login(lambda connection: trap.later("login, awaited"))
    link.opened(lambda connection: trap("opened"))
    link.opened(lambda connection: trap.later("opened, awaited"))
    link.opened(lambda connection: spawn(connection, trap))
    link.closed(lambda connection: trap("closed"))
    link.closed(lambda connection: trap.later("closed, awaited"))
    link.on_change(lambda link, old, new: trap("on_change"))
    link.on_change(lambda link, old, new: trap.later("on_change, awaited"))
    links.on_change(lambda link, old, new: trap("links.on_change"))
    link.on_drop(lambda link, dropped: trap("on_drop"))
    link.on_drop(lambda link, dropped: trap.later("on_drop, awaited"))

    @links.on_change
    async def fill_the_outbox(changed: Link, old: Any, new: Any) -> None:
        if new.state is LinkState.BACKING_OFF:
            for _ in range(3):
                await changed.send("more than it holds")

    if point == "conversation":

        @link
        async def converse(connection: Connection) -> None:
            async for message in connection:
                seen.append(trap("conversation", message))

    elif point == "handler in a thread":

        @link
        def handle_in_thread(event: Event) -> None:
            seen.append(trap("handler in a thread", event))

    else:

        @link
        async def handle(event: Event) -> None:
            seen.append(await trap.later("handler", event))

    return link


def polled(links: Links, trap: Trap, seen: list[object]) -> Link:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"next": len(seen), "items": [{"id": 1}]})

    setup = PollingSetup("http://h/", interval=0.001, transport=lambda: trap("transport", httpx2.MockTransport(answer)))
    link = links.poll(
        lambda: trap.later("poll's setup", setup),
        name="prone",
        events=lambda found: trap("events", found.data["items"]),
        cursor=lambda found: trap("cursor", found.data["next"]),
        on_cursor=lambda cursor: trap("on_cursor"),
        backoff=QUICK,
    )

    @link
    async def handle(event: Event) -> None:
        seen.append(event)

    return link


POLLING = ["poll's setup", "transport", "events", "cursor", "on_cursor"]
POINTS = [
    *("setup", "setup, awaited", "opened", "opened, awaited", "on_change", "on_change, awaited", "links.on_change"),
    *("login", "login, awaited", "closed", "closed, awaited", "task"),
    *("on_drop", "on_drop, awaited", "event_id", "handler", "handler in a thread", "conversation"),
    *("random", "clock.now", "clock.sleep", *POLLING),
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("point", POINTS)
async def test_a_link_goes_on_or_says_that_it_has_failed(
    point: str, error: str, peer: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """A supervisor that ends in silence leaves a link that looks healthy and brings nothing, for ever."""
    caplog.set_level(logging.CRITICAL, "slipstream")  # each of them is logged, with its traceback
    trap, seen, others = Trap(point, ERRORS[error]), list[object](), list[object]()
    server = await peer(talk)
    links = Links(drain=2.0, random=lambda: trap("random", 0.5), clock=TrappedClock(trap) if "clock" in point else None)
    links.turnstile = Turnstile(0.001)  # the two need not keep apart
    link = polled(links, trap, seen) if point in POLLING else dialled(links, trap, point, server.url, seen)

    @links.websocket(server.url, name="other", backoff=QUICK)
    async def handle(event: Event) -> None:
        others.append(event)

    trap.is_set = True
    async with links.running():
        await until(lambda: trap.has_sprung)
        before, before_others = len(seen), len(others)
        await until(lambda: len(seen) > before + 2 or "failed" in {each.state for each in links})
        for each in links:
            if each.state is LinkState.FAILED:
                assert not links.is_healthy
                each.restart()
        await until(lambda: len(seen) > before + 2 and len(others) > before_others)
        assert links.is_healthy

    assert link.state is LinkState.CLOSED


async def test_a_supervisor_that_cannot_go_on_is_seen_and_can_be_revived(
    peer: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """State, health and log say so, with the reason; the others go on."""
    trap = Trap("random", Rude)
    server = await peer(talk)
    links = Links(random=lambda: trap("random", 0.5))
    link = links.websocket(server.url, backoff=QUICK)

    trap.is_set = True
    async with links.running():
        await link.wait_for(LinkState.FAILED)
        assert not links.is_healthy
        assert link.status.reason == "Rude"
        link.restart()
        await link.wait_for(LinkState.UP)

    assert "it cannot go on" in caplog.text


async def test_a_setup_function_that_hangs_has_a_limit(peer: Start, links: Links) -> None:
    """A token server that does not answer must not leave a link "connecting" for ever."""
    server, calls = await peer(talk), 0

    async def setup() -> WebSocketSetup:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        return WebSocketSetup(server.url)

    link = links.websocket(setup, backoff=QUICK, setup_timeout=0.01)
    reasons: list[str] = []
    link.on_change(lambda link, old, new: reasons.append(new.reason))

    async with links.running():
        await link.wait_for(LinkState.UP)

    assert "the setup could not be made: the function gave none within 0.01 seconds" in reasons
