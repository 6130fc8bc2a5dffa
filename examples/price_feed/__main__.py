"""Exchange and price feed in one process: `python -m examples.price_feed`, then http://127.0.0.1:8000/prices."""

import asyncio

import uvicorn

from examples.price_feed import exchange, main


async def both() -> None:
    servers = [
        uvicorn.Server(uvicorn.Config(exchange.create(), port=8001, timeout_graceful_shutdown=3)),
        uvicorn.Server(uvicorn.Config(main.create(), port=8000, timeout_graceful_shutdown=3)),
    ]
    await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    asyncio.run(both())
