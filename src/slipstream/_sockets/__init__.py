"""Plain WebSocket messages between a socket and the tasks that send or wait, for servers and clients."""
