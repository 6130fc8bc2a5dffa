"""The example of the documentation works: two markets merged, served, and found again after they were away."""

import json
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from benchmarks.links_peers import Served
from examples.price_feed import exchange, main
from slipstream.links import LinkState

from .support import PATIENCE, until

pytestmark = pytest.mark.anyio


async def test_the_prices_of_both_markets_are_served_and_survive_a_restart_of_the_exchange() -> None:
    """Dialled, polled, accepted and asked over HTTP, in one program."""
    async with Served(exchange.create(pace=0.001)) as market:
        app = main.create(f"http://127.0.0.1:{market.port}")
        async with Served(app) as served, httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            base = f"127.0.0.1:{served.port}"

            async def get(path: str) -> Any:
                return (await client.get(f"http://{base}{path}")).json()

            async with connect(f"ws://{base}/prices/ws", proxy=None, max_queue=None) as subscriber:
                await until(lambda: min(app.links[name].counters.handled for name in ("first", "other")) > 20)
                quotes = await get("/prices")
                assert {quote["market"] for quote in quotes} == {"first", "other"}
                assert {quote["symbol"] for quote in quotes} == set(exchange.SYMBOLS)
                heard = {json.loads(await subscriber.recv())["market"] for _ in range(40)}
                assert heard == {"first", "other"}
            health = await get("/health")
            assert health["healthy"]
            assert {link["name"]: link["state"] for link in health["links"]}["first"] == "up"
            await market.stop()
            await app.links["first"].wait_for(LinkState.BACKING_OFF)
            assert (await get("/prices")) != []
            async with Served(exchange.create(pace=0.001), market.port):
                app.links["first"].restart()
                await app.links["first"].wait_for(LinkState.UP)

    assert app.links["first"].counters.failed == 0


async def test_a_wrong_token_is_a_failure_that_can_be_seen() -> None:
    """The exchange refuses; after three tries the link says so, and health is a 503."""
    async with Served(exchange.create()) as market:
        app = main.create(f"http://127.0.0.1:{market.port}", token="wrong")
        async with Served(app) as served, httpx2.AsyncClient(trust_env=False) as client:
            for _ in range(3):
                await app.links["first"].wait_for(LinkState.BACKING_OFF, LinkState.FAILED)
                if app.links["first"].state is LinkState.FAILED:
                    break
                app.links["first"].restart()
                await until(lambda: app.links["first"].state is not LinkState.BACKING_OFF)
            await app.links["first"].wait_for(LinkState.FAILED)
            answer = await client.get(f"http://127.0.0.1:{served.port}/health")

    assert answer.status_code == 503
    assert "403" in answer.json()["links"][0]["reason"]
