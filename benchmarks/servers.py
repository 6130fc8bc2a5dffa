"""What does a request cost a whole server? CPU time of the server's processes, beside others, in turn.

    python -m benchmarks.servers
    python -m benchmarks.servers --only post deps --rounds 9
    make peers

Each candidate serves in a process of its own with one worker and no access log on a free port of this machine; 16
connections ask it, one request at a time each. Before that it must answer every request of the work with the right
value, and refuse the wrong ones. The CPU time is user and system of the server's process, its children and all their
threads. What asks runs on another core where there is one, and its own cost is not counted.

Frameworks that slipstream's environment does not have are in the environment of `make peers`; without it they are
named and left out.
"""

import argparse
import asyncio
import importlib
import json
import os
import platform
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import harness, report
from benchmarks.apps import raw
from benchmarks.processes import Served, commanded, started
from benchmarks.work import WORK, Call, Work

WORK_VARIABLE = "BENCHMARKS_WORK"


@dataclass(frozen=True)
class Candidate:
    """A framework with a server: an application on uvicorn, or a command."""

    package: str
    """What must be installed."""
    module: str = ""
    """Whose `build` gives the application, for uvicorn."""
    protocol: str = "httptools"
    """uvicorn's protocol class."""
    command: tuple[str, ...] = ()
    """Arguments for Python, with `{port}`; the application finds the name of the work in the environment."""
    environment: Mapping[str, str] = field(default_factory=dict)
    is_checked: bool = True
    """Whether the answers must be right; "bare" has one for everything."""


def run(*options: str) -> Candidate:
    return Candidate("slipstream", command=(*SLIPSTREAM_RUN, *options))


SLIPSTREAM_RUN = ("-m", "slipstream", "run", "benchmarks.apps.served", "--port", "{port}")
GRANIAN = ("-m", "granian", "--interface", "rsgi", "--loop", "uvloop", "--no-log", "--port", "{port}")
SANIC = ("-m", "sanic", "benchmarks.apps.sanic_app:app", "--port", "{port}", "--no-access-logs", "--no-motd")
ROBYN = ("-m", "benchmarks.apps.robyn_app", "--log-level", "WARN")

CANDIDATES = {
    "fastapi": Candidate("fastapi", "benchmarks.apps.fastapi_app"),
    "starlette": Candidate("starlette", "benchmarks.apps.starlette_app"),
    "litestar": Candidate("litestar", "benchmarks.apps.litestar_app"),
    "blacksheep": Candidate("blacksheep", "benchmarks.apps.blacksheep_app"),
    "falcon": Candidate("falcon", "benchmarks.apps.falcon_app"),
    "raw": Candidate("uvicorn", "benchmarks.apps.raw"),
    "granian": Candidate("granian", command=(*GRANIAN, "benchmarks.apps.rsgi:app")),
    "sanic": Candidate("sanic", command=SANIC),
    "robyn": Candidate("robyn", command=ROBYN, environment={"ROBYN_HOST": "127.0.0.1", "ROBYN_PORT": "{port}"}),
    "slipstream": Candidate("slipstream", "benchmarks.apps.slipstream_app"),
    "direct": Candidate("slipstream", "benchmarks.apps.slipstream_app", "slipstream.server.http:HTTPProtocol"),
    "bare": Candidate("httptools", "benchmarks.apps.bare", "benchmarks.apps.bare:BareProtocol", is_checked=False),
    "run": run(),
    "run, no log": run("--no-access-log"),
}
"""Frameworks on uvicorn, then with servers of their own; "raw" is ASGI by hand on uvicorn, "granian" RSGI by hand.

"direct" is what `slipstream run` serves with; "bare" is a protocol that parses and writes a constant, the floor."""

PEERS = ("fastapi", "starlette", "litestar", "blacksheep", "falcon", "raw", "granian", "sanic", "robyn")

MOST_OF_RAW, MOST_OF_BARE = 0.62, 2.2
"""What `slipstream run` without a log may cost, beside hand-written ASGI on uvicorn and beside the bare protocol."""
OF_SERVER = ("plain", "item", "post", "deps", "route 500")
"""Rows that these are for."""
MOST_OF_PLAIN = 1.35
"""What a function middleware may make of the cost without it."""

GOALS = {"plain": 5, "item": 6, "post": 6, "deps": 9, "list": 2, "sync": 8, "route 500": 35}
"""Times cheaper than FastAPI."""

CONNECTIONS = 16
SERVED_BY = ["uvicorn", "uvloop", "httptools", "litestar", "blacksheep", "falcon", "granian", "sanic", "robyn"]
"""Packages whose versions the record has, besides those of every benchmark."""
RECORD = Path(__file__).parent / "results" / "servers.json"


# --- the process that serves -----------------------------------------------------------------------------------------


def serve(app: Any, **options: Any) -> None:
    """Print the port and serve, until standard input ends.

    Args:
        app: The application.
        options: Further ones of uvicorn's.
    """
    import threading

    import uvicorn

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        options = {"lifespan": "off"} | options
        config = uvicorn.Config(app, loop="uvloop", log_level="warning", access_log=False, **options)
        server = uvicorn.Server(config)

        def wait() -> None:
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=wait, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        server.run([listener])


# --- the process that asks -------------------------------------------------------------------------------------------


def written(call: Call) -> bytes:
    """Write a request as a client does."""
    scope = call.scope()
    target = call.path + (f"?{call.query}" if call.query else "")
    lines = [f"{call.method} {target} HTTP/1.1".encode(), *(name + b": " + value for name, value in scope["headers"])]
    return b"\r\n".join(lines) + b"\r\n\r\n" + call.body


def size_of(answer: bytes, status_code: int = 200) -> int | None:
    """Tell how long a whole answer is; None while its head is not there.

    Raises:
        RuntimeError: It is none with the right status and a length.
    """
    head, end, _ = answer.partition(b"\r\n\r\n")
    if not end:
        return None
    status, *lines = head.lower().split(b"\r\n")
    lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
    if b" %d " % status_code not in status + b" " or len(lengths) != 1:
        raise RuntimeError(f"not an answer to count: {answer[:200]!r}")
    return len(head) + 4 + lengths[0]


def ask(port: int, request: bytes, count: int, status: int = 200) -> None:
    """Send a number of requests, and take the answer to each.

    Raises:
        RuntimeError: An answer is wrong, or the server closes.
    """
    left = count
    with selectors.DefaultSelector() as selector:
        for _ in range(min(CONNECTIONS, count)):
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, bytearray())
            connection.sendall(request)
            left -= 1
        size = None
        while selector.get_map():
            for key, _ in selector.select(60):
                connection, answer = key.fileobj, key.data
                assert isinstance(connection, socket.socket)
                received = connection.recv(65536)
                if not received:
                    raise RuntimeError("the server has closed")
                answer += received
                size = size or size_of(bytes(answer), status)
                if size is None or len(answer) < size:
                    continue
                if not answer.startswith(b"HTTP/1.1 %d" % status):
                    raise RuntimeError(f"not an answer to count: {bytes(answer[:200])!r}")
                answer.clear()
                if left:
                    connection.sendall(request)
                    left -= 1
                else:
                    selector.unregister(connection)
                    connection.close()


def answer(port: int, call: Call) -> tuple[int, Any, dict[str, str]]:
    """Send one request, and give status, value (None if it is no JSON) and headers of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(written(call))
        with HTTPResponse(connection, method=call.method) as response:
            response.begin()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
    is_json = headers.get("content-type", "").startswith("application/json")
    return response.status, json.loads(body) if is_json and body else None, headers


def check(name: str, port: int, work: Work) -> None:
    """Compare a candidate's answers with those of the hand-written application.

    For requests that are timed: status, value, content type. For wrong ones: that they are refused, each framework with
    a status of its own.

    Raises:
        Disagreement: An answer is not what it must be.
    """
    by_hand = raw.build(work.name)
    timed = tuple(work.timed.values())
    for call in (*timed, *work.wrong):
        request = f"{work.name}: {call.method} {call.path}: {name}"
        try:
            status, value, headers = answer(port, call)
        except (OSError, HTTPException) as exc:
            raise harness.Disagreement(f"{request} gives no answer: {exc!r}") from exc
        if call not in timed:
            if not 400 <= status < 500:
                raise harness.Disagreement(f"{request} answers {status}, not with a refusal")
            continue
        _, meant, body = asyncio.run(harness.ask("raw", by_hand, call))
        if (status, value) != (call.status, json.loads(body) if "json" in meant.get("content-type", "") else None):
            raise harness.Disagreement(f"{request} answers {status}, {value}, not {body!r}")
        if work.name == "mw" and headers.get("x-served-by") != "bench":
            raise harness.Disagreement(f"{request} does not add the header")


def measure(work: Work, names: Sequence[str], rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Check and measure one work: rows by name, candidates within; the median of the rounds, in µs of CPU a request."""
    names = [name for name in names if name in (work.done_by or names)]
    found: dict[str, dict[str, list[float]]] = {row: {name: [] for name in names} for row in work.timed}
    with started_all(names, work.name) as served:
        for name, server in served.items():
            if CANDIDATES[name].is_checked:
                check(name, server.port, work)
        for row, call in work.timed.items():
            request = written(call)
            counts = {}
            for name, server in served.items():
                ask(server.port, request, 200, call.status)
                before = time.perf_counter()
                ask(server.port, request, 200, call.status)
                counts[name] = max(200, int(200 * seconds / (time.perf_counter() - before)))
            for _ in range(rounds):
                for name, server in served.items():
                    before = server.cpu()
                    ask(server.port, request, counts[name], call.status)
                    found[row][name].append((server.cpu() - before) / counts[name] * 1e6)
    return {row: {name: statistics.median(times) for name, times in by_name.items()} for row, by_name in found.items()}


@contextmanager
def started_all(names: Sequence[str], work: str) -> Iterator[dict[str, Served]]:
    """Start all candidates."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(start(name, work)) for name in names}


@contextmanager
def start(name: str, work: str) -> Iterator[Served]:
    """Start one candidate."""
    candidate = CANDIDATES[name]
    environment = {**candidate.environment, WORK_VARIABLE: work}
    with commanded(candidate.command, environment) if candidate.command else started(name, work) as served:
        yield served


def present(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide candidates into those whose packages are installed, and the others."""
    found = [name for name in names if find_spec(CANDIDATES[name].package) is not None]
    return found, [name for name in names if name not in found]


# --- what is told ----------------------------------------------------------------------------------------------------


def ours_of(by_name: Mapping[str, float]) -> float | None:
    """Give the cost of what others are compared with: `slipstream run` without a log, or what it serves with."""
    return by_name.get("run, no log", by_name.get("direct"))


def goals(costs: report.Costs) -> list[report.Goal]:
    """List the goals that this run can tell something about."""
    found = []
    for row, by in costs.items():
        ours = ours_of(by)
        if row in GOALS:
            cheaper = report.ratio(by.get("fastapi"), ours)
            found.append(report.Goal(row, "times cheaper than FastAPI:", cheaper, GOALS[row], True))
        if row in OF_SERVER:
            of_raw, of_bare = report.ratio(ours, by.get("raw")), report.ratio(ours, by.get("bare"))
            found.append(report.Goal(row, "of hand-written ASGI:", of_raw, MOST_OF_RAW, False))
            found.append(report.Goal(row, "of the bare protocol:", of_bare, MOST_OF_BARE, False))
        peers = {name: by[name] for name in PEERS if name in by}
        if peers:
            cheapest = min(peers, key=peers.__getitem__)
            text = f"of the cheapest peer, {cheapest}:"
            found.append(report.Goal(row, text, report.ratio(ours, peers[cheapest]), 1, False))
        if row == "mw" and "plain" in costs:
            of_plain = report.ratio(ours, ours_of(costs["plain"]))
            found.append(report.Goal(row, "of none:", of_plain, MOST_OF_PLAIN, False))
    return found


def table(costs: report.Costs) -> str:
    """Write a line a candidate: µs of CPU a request, and beside it how many times what slipstream's costs."""
    names = [name for name in CANDIDATES if any(name in by_name for by_name in costs.values())]
    head = f"{'µs of CPU per request':22}" + "".join(f"{row:>18}" for row in costs)
    lines = [head, "-" * len(head)]
    for name in names:
        cells = ""
        for by_name in costs.values():
            times = report.shown(report.ratio(by_name.get(name), ours_of(by_name)), ".2f")
            cells += f"{report.shown(by_name.get(name), '.1f'):>10}{f'({times})':>8}"
        lines.append(f"{name:22}{cells}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print the table, keep the record."""
    names = [work.name for work in WORK]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="WORK", help=", ".join(names))
    parser.add_argument("--candidates", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="how long each candidate is asked in a round")
    parser.add_argument("--json", type=Path, default=RECORD, metavar="PATH", help="where to write the record")
    parser.add_argument("--serve", nargs=2, metavar=("CANDIDATE", "WORK"), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.serve:
        name, served = given.serve
        candidate = CANDIDATES[name]
        app = importlib.import_module(candidate.module).build(served)
        serve(app, http=candidate.protocol, ws="none", lifespan="auto")
        return 0
    candidates, missing = present(given.candidates)
    if missing:
        print(f"not installed, left out: {', '.join(missing)} (`make peers` has all)", file=sys.stderr)
    costs: dict[str, dict[str, float]] = {}
    for work in WORK:
        if work.name in given.only:
            print(f"measuring {work.name}: {work.title}", file=sys.stderr)
            try:
                costs |= measure(work, candidates, given.rounds, given.seconds)
            except harness.Disagreement as exc:
                print(f"candidates disagree: {exc}", file=sys.stderr)
                return 1
    versions = {name: report.installed(name) for name in SERVED_BY}
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f}; in brackets: of slipstream's")
    print(table(costs) + "\n")
    for goal in goals(costs):
        print(goal)
    record = {**report.circumstances(), "load": load, "servers": versions, "missing": missing, "requests_us": costs}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
