"""A handler of a link's events, with a dependency that stays open and one that reads a header."""

from collections.abc import AsyncIterator
from typing import Annotated

from slipstream import Depends, Header
from slipstream.handlers import EventHandler
from slipstream.links import Connection


async def session(connection: Connection) -> AsyncIterator[str]:
    yield connection.id


async def tenant(x_tenant: Annotated[str, Header()]) -> str:
    return x_tenant


def handle(event: dict[str, int], s: Annotated[str, Depends(session)], t: Annotated[str, Depends(tenant)]) -> None: ...


handler = EventHandler(handle, "EVENT prices", lambda: None)
