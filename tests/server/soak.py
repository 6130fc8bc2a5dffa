"""Many clients, good and bad, for as long as wanted: memory and descriptors of the server must stay as they were.

    python -m tests.server.soak 3600

The server is `slipstream run` in a process of its own, on Linux.
"""

import asyncio
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.server.cases import CASES, LONG, OK
from tests.serving import served_by

PROGRAM = """
from collections.abc import AsyncIterator
from slipstream import FastAPI, Request
from slipstream.responses import StreamingResponse

app = FastAPI()

@app.get("/")
async def home() -> str:
    return "home"

@app.post("/echo")
async def echo(request: Request) -> int:
    return len(await request.body())

@app.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    return StreamingResponse(parts())
"""


class Process:
    """What Linux tells about a process."""

    def __init__(self, pid: int) -> None:
        self.folder = Path(f"/proc/{pid}")

    @property
    def kib(self) -> int:
        """Memory in use, in KiB."""
        lines = (self.folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    @property
    def descriptors(self) -> int:
        """Open files and sockets."""
        return len(list((self.folder / "fd").iterdir()))

    def wait_for(self, descriptors: int) -> None:
        """Wait until no more are open than that, or for 15 seconds; connections linger for a while."""
        until = time.monotonic() + 15
        while self.descriptors > descriptors and time.monotonic() < until:
            threading.Event().wait(0.1)


async def good(port: int, until: float, done: Counter[str]) -> None:
    """Ask and ask again over one connection; every answer has to come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        writer.write(OK)
        async with asyncio.timeout(30):
            head = await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(6) == b'"home"', head
        done["good"] += 1
    writer.close()


async def bad(port: int, until: float, done: Counter[str]) -> None:
    """Send what the battery has, in pieces, and leave in one of several ways."""
    cases = [*CASES.values(), *LONG.values()]
    while time.monotonic() < until:
        case = random.choice(cases)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        at = random.randrange(len(case.sent))
        try:
            for piece in (case.sent[:at], case.sent[at:]):
                writer.write(piece)
                await asyncio.sleep(0)
            match random.choice(["reads", "ends", "resets", "goes"]):
                case "reads":
                    await asyncio.wait_for(reader.read(1000), 1)
                case "ends":
                    writer.write_eof()
                    await asyncio.wait_for(reader.read(), 5)
                case "resets":
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except (OSError, TimeoutError):
            pass
        writer.transport.abort()
        done["bad"] += 1


async def leaving(port: int, until: float, done: Counter[str]) -> None:
    """Begin to read a stream, and go."""
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(OK.replace(b"/ ", b"/stream "))
        await reader.read(random.choice([1, 10_000, 100_000]))
        writer.transport.abort()
        done["left"] += 1


async def load(port: int, seconds: float) -> Counter[str]:
    """Run all clients; return what was done."""
    until, done = time.monotonic() + seconds, Counter[str]()
    clients = [*[good] * 4, *[bad] * 4, *[leaving] * 2]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client(port, until, done))
    return done


def soak(seconds: float) -> tuple[Counter[str], int, int]:
    """Load a server; return what was done, KiB by which it has grown meanwhile, and descriptors that are still open."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "main.py").write_text(PROGRAM)
        command = [sys.executable, "-m", "slipstream", "run", "main.py", "--port", "PORT", "--no-access-log"]
        with served_by(Path(folder), *command, "--log-level", "critical") as served:
            served.get()
            process = Process(served.process.pid)
            idle = process.descriptors
            asyncio.run(load(served.port, max(seconds / 10, 3)))
            process.wait_for(idle)
            before = process.kib
            done = asyncio.run(load(served.port, seconds))
            process.wait_for(idle)
            return done, process.kib - before, process.descriptors - idle


if __name__ == "__main__":
    print(*soak(float(sys.argv[1])))
