"""The latest price of everything, from two markets, as JSON and over a WebSocket.

The exchange first, then this: `slipstream run examples/price_feed/main.py`; or both: `python -m examples.price_feed`.
"""

import os

from pydantic import BaseModel

from slipstream import FastAPI
from slipstream.links import Connection, Links, PollingSetup, Timeouts, WebSocketSetup


class Price(BaseModel):
    """A tick, as both markets write it."""

    seq: int
    symbol: str
    cents: int


class Quote(BaseModel):
    """A price, and where it comes from."""

    symbol: str
    cents: int
    market: str


class Question(BaseModel):
    """What a subscriber may ask."""

    symbol: str


def create(exchange: str = "http://127.0.0.1:8001", token: str = "let-me-in") -> FastAPI:
    """Make the program.

    Args:
        exchange: Address of the exchange.
        token: What it lets us in with.
    """
    app = FastAPI(title="Price feed")
    links = Links(app, drain=2)
    latest: dict[tuple[str, str], Quote] = {}

    async def publish(market: str, price: Price) -> None:
        quote = Quote(symbol=price.symbol, cents=price.cents, market=market)
        latest[market, price.symbol] = quote
        await links["subscribers"].broadcast(quote)

    # 1. A market that is dialled. Where it drops us, it is dialled again and takes up after the last tick.
    dialled = WebSocketSetup(
        exchange.replace("http", "ws", 1) + "/prices",
        headers={"Authorization": f"Bearer {token}"},
        timeouts=Timeouts(silence=30),
    )

    @links.websocket(dialled, name="first", event_id="seq")
    async def on_price(connection: Connection, price: Price) -> None:
        await publish("first", price)

    @links["first"].opened
    async def subscribe(connection: Connection) -> None:
        await connection.send({"after": connection.last_id})

    # 2. A market that is polled: it holds a request until it has something to tell, and names where to go on.
    polled = PollingSetup(exchange + "/other/ticks", long_poll=True, interval=1, timeouts=Timeouts(read=15))

    @links.poll(polled, name="other", events="ticks", cursor="last", cursor_param="after", event_id="seq")
    async def on_tick(price: Price) -> None:
        await publish("other", price)

    # 3. Subscribers dial us, over the same kind of connection; only the newest is worth a slow one's while.
    @links.accept("/prices/ws", name="subscribers", queue=10, policy="drop_oldest")
    async def on_question(connection: Connection, question: Question) -> None:
        for quote in latest.values():
            if quote.symbol == question.symbol:
                await connection.send(quote)

    @app.get("/prices")
    async def prices() -> list[Quote]:
        return sorted(latest.values(), key=lambda quote: (quote.symbol, quote.market))

    links.serve_health("/health", metrics="/metrics")
    return app


app = create(os.environ.get("EXCHANGE", "http://127.0.0.1:8001"))
