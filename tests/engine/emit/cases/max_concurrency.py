"""Dependencies of which only so many may run at once."""

from collections.abc import AsyncIterator
from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


async def lookup(key: str) -> str:
    return key


async def connection() -> AsyncIterator[str]:
    yield "open"


@app.get("/rows")
async def list_rows(
    found: Annotated[str, Depends(lookup, max_concurrency=4)],
    connection: Annotated[str, Depends(connection, max_concurrency=2)],
):
    return [found, connection]
