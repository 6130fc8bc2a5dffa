"""A dependency that is closed before the response is sent, beside one that is closed after."""

from collections.abc import AsyncIterator
from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


async def connection() -> AsyncIterator[str]:
    yield "open"


async def transaction(connection: Annotated[str, Depends(connection)]) -> AsyncIterator[str]:
    yield connection


@app.post("/rows")
async def add_row(transaction: Annotated[str, Depends(transaction, scope="function")]):
    return transaction
