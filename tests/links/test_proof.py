"""What links promise, at full size: numbered events over forced disconnects, and a herd that returns."""

from collections.abc import Awaitable, Callable
from random import Random

import pytest
from websockets.asyncio.server import ServerConnection

from benchmarks.links import Figures, accepted, dialled, polled
from slipstream.links import Backoff, Link, Links, LinkState, Status

from .support import Peer, SteppedClock, most_within

Start = Callable[..., Awaitable[Peer]]
pytestmark = pytest.mark.anyio

EVENTS, CUTS = 10_000, 200


def check(figures: Figures, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{figures}")
    assert figures.handled == list(range(1, EVENTS + 1)), "once each, in order, none invented"
    assert sum(figures.cuts.values()) >= CUTS
    # Not spinning: some attempts a cut while a server restarts, and a small part of the time spent on a processor.
    assert figures.attempts <= 20 * CUTS
    assert figures.cpu_seconds < 0.8 * figures.seconds + 1


async def test_dialled_events_are_handled_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Close, FIN, RST, half-open, restart; the peer resumes with some events again, which are passed over."""
    figures = await dialled(EVENTS, CUTS)

    check(figures, capsys)
    assert figures.duplicates_passed_over > 0


async def test_nothing_that_arrived_is_lost_without_resuming(capsys: pytest.CaptureFixture[str]) -> None:
    """Close, FIN and half-open lose nothing even with a peer that cannot send again."""
    figures = await dialled(EVENTS, CUTS, resumes=False, ways=("close", "FIN", "half-open"))

    check(figures, capsys)


async def test_polled_events_are_handled_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Cut answers, refusals, garbage, silence, restart: the cursor says where we are."""
    check(await polled(EVENTS, CUTS), capsys)


async def test_accepted_events_are_handled_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """The same where the peer dials us, and our own server restarts meanwhile."""
    check(await accepted(EVENTS, CUTS), capsys)


@pytest.mark.parametrize("first", [1.0, 0.05, 0.001])
async def test_a_herd_does_not_return_at_once(first: float, peer: Start) -> None:
    """Of 30 links that lose their server, at most half dial within any 100 ms, however short their waits.

    By the links' clock, which no busy machine can disturb; `python -m benchmarks.links` shows it by the wall's.
    """
    moments: list[float] = []

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()

    server, clock, lots = await peer(talk), SteppedClock(), Random(first)
    links = Links(clock=clock, random=lots.random)
    members = [links.websocket(server.url, backoff=Backoff(first=first, limit=2)) for _ in range(30)]
    async with links.running():
        for link in members:
            await link.wait_for(LinkState.UP)
        for connection in server.server.connections:
            connection.transport.abort()
        for link in members:
            await link.wait_for(LinkState.BACKING_OFF)

        @links.on_change
        def note(link: Link, old: Status, new: Status) -> None:
            if new.state is LinkState.CONNECTING:
                moments.append(new.since.monotonic)

        await clock.go_until(lambda: all(link.status.ups == 2 for link in members))

    assert len(moments) == 30
    assert most_within(0.1, moments) <= 15
