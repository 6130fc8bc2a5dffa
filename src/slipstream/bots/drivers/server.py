"""uvicorn, made to let the bots finish before it ends their connections."""

import socket
from collections.abc import Awaitable, Callable

import uvicorn


class Server(uvicorn.Server):
    """A server that ends in order: no new connections, then `goodbye`, then uvicorn's own shutdown."""

    def __init__(self, config: uvicorn.Config, goodbye: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._goodbye = goodbye

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        for server in self.servers:
            server.close()
        await self._goodbye()
        await super().shutdown(sockets)
