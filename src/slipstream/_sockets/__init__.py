"""The short way of plain WebSocket messages between a socket and whoever waits or sends, for servers and clients."""
