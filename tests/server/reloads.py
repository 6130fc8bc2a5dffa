"""How many requests does a reload lose? `slipstream run --workers 2` gets SIGHUPs under load, over raw sockets.

    python -m tests.server.reloads
    python -m tests.server.reloads --requests 60000 --reloads 5 --fresh 6 --kept 6 --pausing 50

Some clients open a connection for each request, some keep theirs, some keep theirs and pause up to 1.5 s between
requests. A request is lost if its connection cannot be made, is reset, or ends before the whole response; nothing is
sent twice. Exits with 1 if one is lost.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from contextlib import suppress
from pathlib import Path

APP = """
import os
from slipstream import FastAPI

app = FastAPI()

@app.get("/")
async def home() -> int:
    return os.getpid()
"""

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LONGEST_PAUSE = 1.5


class Load:
    """Clients that ask until so many requests are sent.

    Attributes:
        is_held: Whether they go on beyond that number.
        lost: How many requests were lost, by kind of client and what happened.
        closed: How many kept connections were ended by `Connection: close`.
        pids: How many responses came from each process, if responses are process ids.
    """

    def __init__(self, port: int, *, fresh: int, kept: int, pausing: int = 0) -> None:
        self._port = port
        self._clients = {"fresh": fresh, "kept": kept, "pausing": pausing}
        self.sent = 0
        self.is_held = False
        self.lost: Counter[str] = Counter()
        self.closed = 0
        self.pids: Counter[int] = Counter()
        self._requests = 0

    async def run(self, requests: int) -> None:
        """Ask so many times, and as long as the clients are held."""
        self._requests = requests
        async with asyncio.TaskGroup() as group:
            for kind, number in self._clients.items():
                for _ in range(number):
                    group.create_task(self._ask_on(kind))

    async def _ask_on(self, kind: str) -> None:
        streams: tuple[StreamReader, StreamWriter] | None = None
        while self.is_held or self.sent < self._requests:
            self.sent += 1
            at = "connect"
            try:
                if streams is None:
                    streams = await asyncio.open_connection("127.0.0.1", self._port)
                at = "response"
                async with asyncio.timeout(60):
                    keeps = await self._ask(*streams, LAST_REQUEST if kind == "fresh" else REQUEST)
            except (OSError, EOFError) as error:
                self.lost[f"{kind}, {at}: {type(error).__name__}"] += 1
                keeps = False
            if not keeps and streams is not None:
                self.closed += kind != "fresh"
                streams[1].close()
                with suppress(OSError):
                    await streams[1].wait_closed()
                streams = None
            if kind == "pausing":
                await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))
        if streams is not None:
            streams[1].close()

    async def _ask(self, reader: StreamReader, writer: StreamWriter, request: bytes) -> bool:
        """Send a request and read the response; return whether the connection stays."""
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise EOFError(head)
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.pids[int(await reader.readexactly(size))] += 1
        return b"connection: close" not in head


async def reload_under(pid: int, lines: StreamReader, reloads: int) -> None:
    """Send SIGHUPs to a supervisor, each after the last reload is over."""
    for _ in range(reloads):
        await asyncio.sleep(1)
        os.kill(pid, signal.SIGHUP)
        while line := await lines.readline():
            if b"Reloaded" in line:
                break
            if b"ERROR" in line or b"Traceback" in line:
                print(line.decode().rstrip())


async def measure(folder: str, requests: int, reloads: int, clients: dict[str, int]) -> Load:
    """Serve the program in a folder, ask and reload; stop asking when both numbers are reached."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "slipstream", "run", "main.py", "--workers", "2", "--port", str(port),
        "--no-access-log", cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert server.stdout is not None
    ready = 0
    while ready < 2 and (line := await server.stdout.readline()):
        ready += b"is ready" in line
    load = Load(port, **clients)
    load.is_held = True
    asking = asyncio.create_task(load.run(requests))
    await reload_under(server.pid, server.stdout, reloads)
    load.is_held = False
    await asking
    server.terminate()
    await server.communicate()
    return load


def main() -> None:
    """Measure, and print what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("requests", 60_000), ("reloads", 5), ("fresh", 6), ("kept", 6), ("pausing", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = vars(parser.parse_args())
    requests, reloads = given.pop("requests"), given.pop("reloads")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "main.py").write_text(APP)
        load = asyncio.run(measure(folder, requests, reloads, given))
    seconds = time.monotonic() - began
    print(
        f"{load.sent} requests to {len(load.pids)} processes over {reloads} reloads in {seconds:.0f} s; "
        f"{load.closed} kept connections were told to close; lost: {sum(load.lost.values())}"
    )
    for what, number in load.lost.most_common():
        print(f"  {what}: {number}")
    sys.exit(1 if load.lost else 0)


if __name__ == "__main__":
    main()
