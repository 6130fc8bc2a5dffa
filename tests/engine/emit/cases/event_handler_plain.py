"""A handler of a link's events that depends on one value: no scope, no Request, no response."""

from typing import Annotated

from slipstream import Depends
from slipstream.handlers import EventHandler


async def settings() -> dict[str, int]:
    return {}


async def handle(connection, event: int, settings: Annotated[dict[str, int], Depends(settings)]) -> None:  # type: ignore[no-untyped-def]  # gets the connection by its name
    ...


handler = EventHandler(handle, "EVENT prices", lambda: None)
