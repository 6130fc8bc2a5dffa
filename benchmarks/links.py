"""What do links lose, and how do they return? `python -m benchmarks.links [events] [cuts]`.

Numbered events over forced disconnects, dialled, polled and accepted: each is to be handled once and in order.
And thirty links that lose their server at once: at most half are to return within any 100 ms.
"""

import argparse
import asyncio
import resource
import time
from dataclasses import dataclass, field

from pydantic import BaseModel

from benchmarks.links_peers import HTTP_WAYS, WAYS, Caller, HttpFeed, Plan, Served, WebSocketFeed
from slipstream import FastAPI
from slipstream.links import Backoff, Connection, Link, Links, LinkState, PollingSetup, Timeouts, WebSocketSetup

QUICK = Backoff(first=0.004, limit=0.02, reset_after=0.0)


class Numbered(BaseModel):
    seq: int
    text: str


@dataclass
class Figures:
    """What one run shows."""

    way_in: str
    events: int
    cuts: dict[str, int]
    handled: list[int] = field(repr=False)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    attempts: int = 0
    duplicates_passed_over: int = 0
    repeated_by_peer: int = 0

    @property
    def missing(self) -> int:
        return self.events - len(set(self.handled))

    @property
    def twice(self) -> int:
        return len(self.handled) - len(set(self.handled))

    @property
    def out_of_order(self) -> int:
        return sum(later <= earlier for earlier, later in zip(self.handled, self.handled[1:], strict=False))

    @property
    def invented(self) -> int:
        return sum(not 1 <= number <= self.events for number in self.handled)

    def __str__(self) -> str:
        cuts = ", ".join(f"{count} {way}" for way, count in self.cuts.items())
        return (
            f"{self.way_in}: {self.events} events, {sum(self.cuts.values())} cuts ({cuts}): "
            f"{self.missing} missing, {self.twice} twice, {self.out_of_order} out of order, {self.invented} invented; "
            f"{self.repeated_by_peer} sent again, {self.duplicates_passed_over} passed over, {self.attempts} attempts, "
            f"{self.seconds:.1f} s, {self.cpu_seconds:.1f} s of CPU"
        )


class Stopwatch:
    """Wall time and CPU time of a block."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def __enter__(self) -> None:
        self._wall, self._cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_utime

    def __exit__(self, *exc_info: object) -> None:
        self._figures.seconds = time.monotonic() - self._wall
        self._figures.cpu_seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - self._cpu


async def reach(handled: list[int], events: int, arrived: asyncio.Event) -> None:
    """Wait for the last event."""
    while not handled or handled[-1] < events:
        arrived.clear()
        await arrived.wait()


async def dialled(events: int, cuts: int, *, resumes: bool = True, ways: tuple[str, ...] = WAYS) -> Figures:
    """A feed that we dial."""
    plan = Plan(events, cuts, ways)
    feed = WebSocketFeed(plan, resumes=resumes, overlap=5 if resumes else 0)
    await feed.start()
    links, arrived = Links(), asyncio.Event()
    setup = WebSocketSetup(feed.url, ping_interval=0.03, ping_timeout=0.05, timeouts=Timeouts(close=0.2, connect=5))
    link = links.websocket(setup, name="dialled", event_id="seq", backoff=QUICK, queue=64)
    figures = Figures("dialled" + ("" if resumes else ", no resuming"), events, plan.done, [])

    @link
    async def handle(event: Numbered) -> None:
        figures.handled.append(event.seq)
        arrived.set()

    @link.opened
    async def resume(connection: Connection) -> None:
        await connection.send({"after": connection.last_id})

    try:
        async with links.running():
            with Stopwatch(figures):
                await reach(figures.handled, events, arrived)
    finally:
        await feed.stop()
    figures.attempts, figures.duplicates_passed_over = link.counters.attempts, link.counters.duplicates
    figures.repeated_by_peer = feed.repeated
    return figures


async def polled(events: int, cuts: int) -> Figures:
    """A feed that we poll."""
    plan = Plan(events, cuts, HTTP_WAYS)
    # More answers than cuts, so that good ones stand between the bad.
    feed = HttpFeed(plan)
    await feed.start()
    links, arrived = Links(), asyncio.Event()
    setup = PollingSetup(feed.url, interval=0.001, long_poll=True, timeouts=Timeouts(connect=5, read=0.1))
    link = links.poll(
        setup, name="polled", events="events", cursor="next", cursor_param="after", event_id="seq", backoff=QUICK
    )
    figures = Figures("polled", events, plan.done, [])

    @link
    async def handle(event: Numbered) -> None:
        figures.handled.append(event.seq)
        arrived.set()

    try:
        async with links.running():
            with Stopwatch(figures):
                await reach(figures.handled, events, arrived)
    finally:
        await feed.stop()
    figures.attempts, figures.duplicates_passed_over = link.counters.attempts, link.counters.duplicates
    return figures


async def accepted(events: int, cuts: int, restarts: int = 3) -> Figures:
    """A client that dials us; our server restarts meanwhile."""
    plan = Plan(events, cuts, ("close", "FIN", "RST", "half-open"))
    figures = Figures("accepted", events, plan.done, [])
    arrived, port, caller, calling = asyncio.Event(), 0, None, None

    def program() -> tuple[FastAPI, Link]:
        app = FastAPI()
        link = Links(app, drain=2).accept(
            "/feed/{peer}", name="accepted", key="peer", duplicates="replace", event_id="seq", queue=64
        )

        @link
        async def handle(event: Numbered) -> None:
            figures.handled.append(event.seq)
            arrived.set()

        @link.opened
        async def greet(connection: Connection) -> None:
            await connection.send({"after": connection.last_id})

        link.resume_from(figures.handled[-1] if figures.handled else None, key="caller")
        return app, link

    with Stopwatch(figures):
        for generation in range(restarts + 1):
            app, link = program()
            async with Served(app, port) as served:
                port = served.port
                if caller is None:
                    caller = Caller(plan, f"ws://127.0.0.1:{port}/feed/caller")
                    calling = asyncio.ensure_future(caller.run())
                goal = events * (generation + 1) // (restarts + 1)
                await reach(figures.handled, goal, arrived)
                if generation == restarts:
                    assert calling is not None
                    await calling
            figures.duplicates_passed_over += link.counters.duplicates
            figures.attempts += int(link.new_id().rpartition("#")[2]) - 1
    assert caller is not None
    caller.let_go()
    plan.done["restart"] = restarts
    return figures


@dataclass
class Return:
    """How links came back."""

    links: int
    moments: list[float]

    @property
    def most_in_100_ms(self) -> int:
        times = sorted(self.moments)
        return max(sum(start <= each < start + 0.1 for each in times) for start in times)

    def __str__(self) -> str:
        span = max(self.moments) - min(self.moments)
        return (
            f"herd: {self.links} links lose their server at once; back over {span:.2f} s, "
            f"at most {self.most_in_100_ms} within any 100 ms"
        )


async def herd(count: int = 30, first: float = 1.0) -> Return:
    """Links that lose their server together."""
    plan = Plan(0, 0, WAYS)
    feed = WebSocketFeed(plan)
    await feed.start()
    links = Links()
    made = [
        links.websocket(feed.url, name=f"member-{number}", backoff=Backoff(first=first, limit=max(first, 2.0)))
        for number in range(count)
    ]
    for link in made:

        @link.opened
        async def greet(connection: Connection) -> None:
            await connection.send({"after": 0})

    async with links.running():
        for link in made:
            await link.wait_for(LinkState.UP)
        feed.handshakes.clear()
        await feed.restart()
        while any(link.status.ups < 2 for link in made):  # noqa: ASYNC110 - thirty links, plainer than an event
            await asyncio.sleep(0.01)
        moments = list(feed.handshakes)
    await feed.stop()
    return Return(count, moments)


async def main(events: int, cuts: int) -> None:
    """Print the figures of every run."""
    for figures in (
        await dialled(events, cuts),
        await dialled(events, cuts, resumes=False, ways=("close", "FIN", "half-open")),
        await polled(events, cuts),
        await accepted(events, cuts),
    ):
        print(figures)
    print(await herd())
    print(await herd(first=0.05), "(first wait 0.05 s: the turnstile alone spreads them)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.links", description=__doc__.partition("\n")[0])
    parser.add_argument("events", type=int, nargs="?", default=10_000)
    parser.add_argument("cuts", type=int, nargs="?", default=200)
    given = parser.parse_args()
    asyncio.run(main(given.events, given.cuts))

__all__ = ["Figures", "Return", "accepted", "dialled", "herd", "polled"]
