"""What does a request cost a whole server? CPU time of the server's process, beside others on uvicorn, in turn.

    python -m benchmarks.servers
    python -m benchmarks.servers --only post deps --rounds 9

Each candidate serves in a process of its own with one worker (uvloop, httptools, no access log) on a free port of this
machine; 16 connections ask it, one request at a time each. Its process tells how much CPU time, user and system, the
requests took. What asks runs on another core where there is one, and its own cost is not counted.
"""

import argparse
import importlib
import json
import os
import platform
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.work import WORK, Call

CANDIDATES = {
    "fastapi": ("benchmarks.apps.fastapi_app", "httptools"),
    "starlette": ("benchmarks.apps.starlette_app", "httptools"),
    "raw": ("benchmarks.apps.raw", "httptools"),
    "slipstream": ("benchmarks.apps.slipstream_app", "httptools"),
    "direct": ("benchmarks.apps.slipstream_app", "slipstream.server.http:HTTPProtocol"),
    "bare": ("benchmarks.apps.bare", "benchmarks.apps.bare:BareProtocol"),
    "run": ("benchmarks.apps.served", ""),
    "run, no log": ("benchmarks.apps.served", "--no-access-log"),
}
"""Module of the application, and uvicorn's protocol class; for `slipstream run` itself, an option.

"direct" is what `slipstream run` serves with; "bare" is a protocol that parses and writes a constant, the floor."""

MOST_OF_RAW, MOST_OF_BARE = 0.62, 2.2
"""What `slipstream run` without a log may cost, beside hand-written ASGI on uvicorn and beside the bare protocol."""
OF_SERVER = ("plain", "item", "post", "deps")
"""Rows that these are for."""

GOALS = {"plain": 3.2, "item": 4.0, "post": 3.8, "deps": 6.0, "list": 2.0, "sync": 7.0, "mw": 4.0, "route 500": 25.0}
"""Times cheaper than FastAPI."""

CONNECTIONS = 16
WORK_VARIABLE = "BENCHMARKS_WORK"
RECORD = Path(__file__).parent / "results" / "servers.json"


# --- the process that serves -----------------------------------------------------------------------------------------


def serve(app: Any, **options: Any) -> None:
    """Serve until standard input ends; answer each line on it with the CPU seconds used so far.

    Args:
        app: The application.
        options: Further ones of uvicorn's.
    """
    import threading

    import uvicorn

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        config = uvicorn.Config(app, loop="uvloop", lifespan="off", log_level="warning", access_log=False, **options)
        server = uvicorn.Server(config)

        def tell() -> None:
            for _ in sys.stdin:
                print(time.process_time(), flush=True)
            server.should_exit = True

        threading.Thread(target=tell, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        server.run([listener])


def serve_by_command(module: str, work: str, *options: str) -> None:
    """Serve as `serve` does, by `slipstream run` as a user types it; what it prints goes nowhere."""
    import threading

    from slipstream.cli.run import command

    os.environ[WORK_VARIABLE] = work  # read by the application
    answers = os.fdopen(os.dup(1), "w")
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    def tell() -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        print(port, file=answers, flush=True)
        for _ in sys.stdin:
            print(time.process_time(), file=answers, flush=True)
        os._exit(0)

    threading.Thread(target=tell, daemon=True).start()
    command([module, "--port", str(port), *options], standalone_mode=False)


# --- the process that asks -------------------------------------------------------------------------------------------


@dataclass
class Served:
    """A candidate in its process."""

    process: "subprocess.Popen[str]"
    port: int

    def cpu(self) -> float:
        """CPU seconds that the process has used."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


@contextmanager
def started(*arguments: str, module: str = "benchmarks.servers") -> Iterator[Served]:
    """Start a candidate, by a module that serves what the arguments say; end it."""
    command = [sys.executable, "-m", module, "--serve", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Served(process, int(process.stdout.readline()))
        finally:
            process.terminate()


def written(call: Call) -> bytes:
    """Write a request as a client does."""
    scope = call.scope()
    target = call.path + (f"?{call.query}" if call.query else "")
    lines = [f"{call.method} {target} HTTP/1.1".encode(), *(name + b": " + value for name, value in scope["headers"])]
    return b"\r\n".join(lines) + b"\r\n\r\n" + call.body


def size_of(answer: bytes) -> int | None:
    """Tell how long a whole answer is; None while its head is not there.

    Raises:
        RuntimeError: It is none with status 200 and a length.
    """
    head, end, _ = answer.partition(b"\r\n\r\n")
    if not end:
        return None
    status, *lines = head.lower().split(b"\r\n")
    lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
    if b" 200 " not in status + b" " or len(lengths) != 1:
        raise RuntimeError(f"not an answer to count: {answer[:200]!r}")
    return len(head) + 4 + lengths[0]


def ask(port: int, request: bytes, count: int) -> None:
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
                size = size or size_of(bytes(answer))
                if size is None or len(answer) < size:
                    continue
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"not an answer to count: {bytes(answer[:200])!r}")
                answer.clear()
                if left:
                    connection.sendall(request)
                    left -= 1
                else:
                    selector.unregister(connection)
                    connection.close()


def measure(work: Any, names: Sequence[str], rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Measure one work: rows by name, candidates within; the median of the rounds, in µs of CPU a request."""
    found: dict[str, dict[str, list[float]]] = {row: {name: [] for name in names} for row in work.timed}
    for row, call in work.timed.items():
        request = written(call)
        with started_all(names, work.name) as served:
            counts = {}
            for name, server in served.items():
                ask(server.port, request, 200)
                before = time.perf_counter()
                ask(server.port, request, 200)
                counts[name] = max(200, int(200 * seconds / (time.perf_counter() - before)))
            for _ in range(rounds):
                for name, server in served.items():
                    before = server.cpu()
                    ask(server.port, request, counts[name])
                    found[row][name].append((server.cpu() - before) / counts[name] * 1e6)
    return {row: {name: statistics.median(times) for name, times in by_name.items()} for row, by_name in found.items()}


@contextmanager
def started_all(names: Sequence[str], work: str) -> Iterator[dict[str, Served]]:
    """Start all candidates."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(started(name, work)) for name in names}


def goals(costs: report.Costs) -> list[report.Goal]:
    """List the goals that this run can tell something about."""
    found = [
        report.Goal(row, "times cheaper than FastAPI:", report.ratio(by.get("fastapi"), by.get("direct")), limit, True)
        for row, limit in GOALS.items()
        if (by := costs.get(row)) is not None
    ]
    for row in (row for row in OF_SERVER if row in costs):
        by = costs[row]
        ours = by.get("run, no log", by.get("direct"))
        found.append(report.Goal(row, "of hand-written ASGI:", report.ratio(ours, by.get("raw")), MOST_OF_RAW, False))
        found.append(report.Goal(row, "of the bare protocol:", report.ratio(ours, by.get("bare")), MOST_OF_BARE, False))
    return found


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
        module, protocol = CANDIDATES[name]
        if name.startswith("run"):
            serve_by_command(module, served, *protocol.split())
            return 0
        serve(importlib.import_module(module).build(served), http=protocol, ws="none")
        return 0
    costs: dict[str, dict[str, float]] = {}
    for work in WORK:
        if work.name in given.only:
            print(f"measuring {work.name}: {work.title}", file=sys.stderr)
            costs |= measure(work, given.candidates, given.rounds, given.seconds)
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, uvicorn {report.installed('uvicorn')}")
    print(report.table(costs, {row: work.title for work in WORK for row in work.timed}) + "\n")
    for goal in goals(costs):
        print(goal)
    record = {**report.circumstances(), "uvicorn": report.installed("uvicorn"), "requests_us": costs}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
