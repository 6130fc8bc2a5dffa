"""Programs that the tests of sudden ends start and kill: `python kill_programs.py feed|dialler …`."""

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

from pydantic import BaseModel
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from slipstream.links import Backoff, Connection, Links


class Numbered(BaseModel):
    seq: int


async def feed(port: int, events: int) -> None:
    """Send numbered events after the number that a client names, a few every millisecond."""

    async def talk(client: ServerConnection) -> None:
        try:
            number = json.loads(await client.recv())["after"] or 0
            while number < events:
                number += 1
                await client.send(json.dumps({"seq": number}))
                if number % 20 == 0:
                    await asyncio.sleep(0.001)
            await client.wait_closed()
        except ConnectionClosed:
            pass

    async with serve(talk, "127.0.0.1", port, ping_interval=None, close_timeout=0.2) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


async def dialler(url: str, journal: Path, work: float, drain: float) -> None:
    """Write the number of each event to a file, and take up after the last one there."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    links = Links(drain=drain)
    link = links.websocket(
        url, name="feed", event_id="seq", backoff=Backoff(first=0.01, limit=0.05, reset_after=0), queue=200
    )
    lines = journal.read_text().split() if journal.exists() else []
    link.resume_from(int(lines[-1]) if lines else None)
    with journal.open("a", buffering=1) as out:

        @link
        async def handle(event: Numbered) -> None:
            if work:
                await asyncio.sleep(work)
            out.write(f"{event.seq}\n")

        @link.opened
        async def resume(connection: Connection) -> None:
            await connection.send({"after": connection.last_id})

        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with links.running():
            print("running", flush=True)
            await stop.wait()
    counters = link.counters
    print(json.dumps({"received": counters.received, "handled": counters.handled, "lost": counters.lost,
                      "refused": counters.refused, "duplicates": counters.duplicates}), flush=True)  # fmt: skip


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "feed":
        asyncio.run(feed(int(rest[0]), int(rest[1])))
    else:
        asyncio.run(dialler(rest[0], Path(rest[1]), float(rest[2]), float(rest[3])))
