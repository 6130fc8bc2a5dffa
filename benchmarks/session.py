"""The resource that a request opens and closes, for frameworks whose dependencies cannot `yield`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Session:
    """What a request opens and has to close."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_open = True


@asynccontextmanager
async def session(settings: dict[str, str]) -> AsyncIterator[Session]:
    """Open a session for a block."""
    made = Session(settings["url"])
    try:
        yield made
    finally:
        made.is_open = False
