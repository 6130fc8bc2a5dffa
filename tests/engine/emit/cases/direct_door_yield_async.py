"""A dependency that is open until the response is sent."""

from collections.abc import AsyncIterator
from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


async def connection() -> AsyncIterator[str]:
    yield "open"


@app.get("/rows")
async def list_rows(connection: Annotated[str, Depends(connection)]):
    return [connection]
