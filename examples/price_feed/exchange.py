"""A make-believe exchange: prices over a WebSocket, and a second market that only answers when asked.

`slipstream run examples/price_feed/exchange.py --port 8001`
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Annotated, TypedDict

from slipstream import FastAPI, HTTPException, Query, WebSocket, WebSocketDisconnect

SYMBOLS = ("KITE", "SAIL", "RUDDER")


class Tick(TypedDict):
    seq: int
    symbol: str
    cents: int


class Market:
    """A random walk; the latest thousand ticks are kept for those who resume.

    Args:
        pace: Seconds between two ticks.
    """

    def __init__(self, pace: float = 0.2) -> None:
        self.ticks: deque[Tick] = deque(maxlen=1000)
        self.moved = asyncio.Event()
        self._pace, self._numbers = pace, count(1)
        self._cents = dict.fromkeys(SYMBOLS, 10_000)

    def move(self) -> Tick:
        symbol = random.choice(SYMBOLS)
        self._cents[symbol] = max(1, self._cents[symbol] + random.randint(-50, 50))
        tick: Tick = {"seq": next(self._numbers), "symbol": symbol, "cents": self._cents[symbol]}
        self.ticks.append(tick)
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()
        return tick

    async def run(self) -> None:
        while True:
            self.move()
            await asyncio.sleep(self._pace)

    def after(self, seq: int) -> list[Tick]:
        return [tick for tick in self.ticks if tick["seq"] > seq]


def create(pace: float = 0.2, token: str = "let-me-in") -> FastAPI:
    """Make the exchange."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.market, app.state.other = Market(pace), Market(pace * 5)
        running = [asyncio.create_task(market.run()) for market in (app.state.market, app.state.other)]
        yield
        for task in running:
            task.cancel()

    app = FastAPI(title="Exchange", lifespan=lifespan)

    @app.websocket("/prices")
    async def prices(websocket: WebSocket) -> None:
        if websocket.headers.get("authorization") != f"Bearer {token}":
            await websocket.close(1008)
            return
        await websocket.accept()
        market: Market = app.state.market
        try:
            last = (await websocket.receive_json()).get("after") or 0
            while True:
                for tick in market.after(last):
                    await websocket.send_json(tick)
                    last = tick["seq"]
                await market.moved.wait()
        except WebSocketDisconnect:
            pass

    @app.get("/other/ticks")
    async def ticks(after: Annotated[int, Query(ge=0)] = 0) -> dict[str, object]:
        """Hold the request until there is something to tell, for ten seconds at most."""
        market: Market = app.state.other
        try:
            async with asyncio.timeout(10):
                while not (found := market.after(after)):
                    await market.moved.wait()
        except TimeoutError:
            found = []
        if len(found) > 500:
            raise HTTPException(503, headers={"Retry-After": "1"})
        return {"ticks": found, "last": found[-1]["seq"] if found else after}

    return app


app = create()
