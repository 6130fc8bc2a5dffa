"""A weather station for the tour to dial: it tells the temperature, and hangs up now and then, as stations do."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

READINGS = 10
"""Readings on one connection; then the station hangs up, so that there is a loss to see."""


class Station:
    """Serves on a free port of the loopback interface while `running`.

    Args:
        pace: Seconds between two readings.
    """

    def __init__(self, pace: float = 1.0) -> None:
        self.url = ""
        self._pace = pace
        self._numbers = count(1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with serve(self._serve, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"ws://127.0.0.1:{port}/"
            yield

    async def _serve(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):  # who listens may leave at any time
            for _ in range(READINGS):
                number = next(self._numbers)
                celsius = round(15 + 5 * math.sin(number / 9), 1)
                await connection.send(json.dumps({"number": number, "celsius": celsius}))
                await asyncio.sleep(self._pace)
            await connection.close(1012, "maintenance")
