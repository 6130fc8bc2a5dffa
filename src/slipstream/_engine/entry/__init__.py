"""The doors a server calls: ASGI, lifespan, and the guard that turns exceptions into responses."""
