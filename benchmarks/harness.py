"""Checks that candidates answer alike, then takes the CPU time of a request, candidates in turn.

In process: `receive` and `send` do nothing, so that only the candidate's own work is seen. The time is that of the
whole process (`time.process_time`: user and system, threads too), so other programs on the machine count little; and
of many short batches the cheapest is the one that was disturbed least.
"""

import asyncio
import gc
import importlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.work import Call, Work

CANDIDATES = {
    "fastapi": "benchmarks.apps.fastapi_app",
    "starlette": "benchmarks.apps.starlette_app",
    "raw": "benchmarks.apps.raw",
    "slipstream": "benchmarks.apps.slipstream_app",
    "direct": "benchmarks.apps.direct",
    "internet": "benchmarks.apps.internet",
}
YARDSTICK = "raw"
"""The candidate with whose answers those of the others are compared."""

Build = Callable[[str], Any]


class Disagreement(Exception):
    """Two candidates answer one request differently: then their times cannot be compared."""


@dataclass
class Batches:
    """What was measured of one request under one candidate, in µs per request."""

    times: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        return min(self.times)

    @property
    def summary(self) -> dict[str, float]:
        """The minimum, and how far the others were off."""
        return {
            "min": round(self.best, 3),
            "median": round(statistics.median(self.times), 3),
            "max": round(max(self.times), 3),
            "batches": len(self.times),
        }


def load(names: Sequence[str]) -> tuple[dict[str, Build], dict[str, str]]:
    """Import candidates; give their builders, and why those are missing that cannot be imported."""
    builders: dict[str, Build] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            builders[name] = importlib.import_module(CANDIDATES[name]).build
        except (ImportError, AttributeError) as exc:
            missing[name] = f"{type(exc).__name__}: {exc}"
    return builders, missing


async def ask(name: str, app: Any, call: Call) -> tuple[int, dict[str, str], bytes]:
    """Serve one request; give status, headers and body."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    try:
        await app(call.scope(), receiving(call), send)
    except Exception as exc:
        raise Disagreement(f"{name}: {call.method} {call.path} ends in {type(exc).__name__}: {exc}") from exc
    start, *bodies = messages
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, b"".join(message.get("body", b"") for message in bodies)


def receiving(call: Call) -> Callable[[], Any]:
    """Make a `receive` that gives the whole body at once."""
    message = {"type": "http.request", "body": call.body, "more_body": False}

    async def receive() -> Any:
        return message

    return receive


async def send_nowhere(message: Any) -> None:
    """Take a message as a server does that has room for it."""


def reply_nowhere(status: int, headers: Any, content: bytes, is_complete: bool = False) -> bool:
    """Take a whole response as a server does that has room for it."""
    return True


async def verify(work: Work, apps: Mapping[str, Any]) -> None:
    """Compare all candidates.

    For requests that are timed: status, body, content type, and a content length that is true. For wrong ones: the
    status.

    Raises:
        Disagreement: An answer is not what it must be.
    """
    for call in work.timed.values():
        expected = None
        for name, app in apps.items():
            status, headers, body = await ask(name, app, call)
            seen = (status, body, *(headers.get(name) for name in ("content-type", "location", "set-cookie")))
            expected = expected or seen
            if status != call.status or seen != expected or headers.get("content-length") != str(len(body)):
                raise Disagreement(f"{work.name}: {call.method} {call.path}: {name} answers {seen}, not {expected}")
            if work.name == "mw" and headers.get("x-served-by") != "bench":
                raise Disagreement(f"{work.name}: {name} does not add the header")
    for call in work.wrong:
        for name, app in apps.items():
            status, _, _ = await ask(name, app, call)
            if status != call.status:
                raise Disagreement(
                    f"{work.name}: {call.method} {call.path}: {name} answers {status}, not {call.status}"
                )


async def batch(app: Any, call: Call, number: int) -> float:
    """Serve `number` requests; give the µs of CPU time for one.

    As many go before them and are not counted: the candidate whose turn it was has left its own things in the caches.
    """
    await serve(app, call, number)
    return await serve(app, call, number) / number * 1e6


async def serve(app: Any, call: Call, number: int) -> float:
    """Serve `number` requests; give the seconds of CPU time for all."""
    receive = receiving(call)
    scopes = [call.scope() for _ in range(number)]
    direct, body = getattr(app, "direct", None), call.body
    begin = time.process_time()
    if direct is None:
        for scope in scopes:
            await app(scope, receive, send_nowhere)
    else:
        for scope in scopes:
            await direct(scope, receive, send_nowhere, body, reply_nowhere)
    return time.process_time() - begin


async def measure(work: Work, apps: Mapping[str, Any], *, rounds: int, number: int) -> dict[str, dict[str, Batches]]:
    """Take times: each round one batch of every candidate in turn; rows by name, candidates within.

    A batch is `number` requests, whatever a candidate needs for them: with more of them for a fast one, its requests
    would lie further from the processor than those of a slow one.
    """
    found: dict[str, dict[str, Batches]] = {row: {name: Batches() for name in apps} for row in work.timed}
    for app in apps.values():
        for call in work.timed.values():
            await batch(app, call, 20)  # to warm up
    gc.disable()  # as `timeit` does: with a fixed number of requests, it would come at the same one each time
    for _ in range(rounds):
        gc.collect()
        for name, app in apps.items():
            for row, call in work.timed.items():
                found[row][name].times.append(await batch(app, call, number))
    gc.enable()
    return found


def build_all(work: Work, builders: Mapping[str, Build]) -> dict[str, Any]:
    """Make each candidate's application; the yardstick first."""
    apps: dict[str, Any] = {}
    for name in sorted(builders, key=lambda name: name != YARDSTICK):
        try:
            apps[name] = builders[name](work.name)
        except Exception as exc:
            raise Disagreement(f"{name}: cannot be built for {work.name}: {type(exc).__name__}: {exc}") from exc
    return apps


def run(work: Work, builders: Mapping[str, Build], *, rounds: int, number: int) -> dict[str, dict[str, Batches]]:
    """Build, verify and measure one work."""

    async def main() -> dict[str, dict[str, Batches]]:
        await verify(work, build_all(work, builders))
        return await measure(work, build_all(work, builders), rounds=rounds, number=number)

    return asyncio.run(main())
