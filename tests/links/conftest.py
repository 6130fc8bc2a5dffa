"""Peers, clocks and links for the tests of links; everything stays on the loopback interface."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.protocol import State

from slipstream.links import Links

from .support import Peer


@pytest.fixture
async def peer() -> AsyncIterator[Callable[..., Awaitable[Peer]]]:
    """Start WebSocket servers; each is closed at the end."""
    async with AsyncExitStack() as stack:

        async def start(talk: Callable[[ServerConnection], Awaitable[None]], **options: object) -> Peer:
            made: list[ServerConnection] = []

            async def ending(connection: ServerConnection) -> None:
                made.append(connection)
                try:
                    await talk(connection)
                except asyncio.CancelledError:
                    pass

            options = {"ping_interval": None, "close_timeout": 0.2, **options}
            server: Server = await serve(ending, "127.0.0.1", 0, **options)  # type: ignore[arg-type]  # by name
            stack.push_async_callback(server.wait_closed)

            def close() -> None:
                # a peer that has answered a close frame, and leaves unread what came before it, never sees the end
                for connection in made:
                    if connection.state is State.CLOSING:
                        connection.transport.abort()
                server.close()

            stack.callback(close)
            return Peer(server, server.sockets[0].getsockname()[1])

        yield start


@pytest.fixture
def links() -> Links:
    """Links without an application; a test runs them with `links.running()`."""
    return Links(drain=2.0)
