"""uvicorn, made to let the bots finish before it ends their connections."""

import socket
from collections.abc import Awaitable, Callable

import uvicorn


class Server(uvicorn.Server):
    """A server that says goodbye in order: no new connections, then `goodbye`, then uvicorn's own shutdown.

    Args:
        config: uvicorn's settings.
        goodbye: Handles what has been received, and closes the connections of peers.
    """

    def __init__(self, config: uvicorn.Config, goodbye: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._goodbye = goodbye

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        for server in self.servers:
            server.close()
        await self._goodbye()
        await super().shutdown(sockets)
