"""An endpoint that yields: one line of JSON an item."""

from collections.abc import AsyncIterator

from pydantic import BaseModel

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str


@app.get("/items")
async def stream_items(prefix: str = "") -> AsyncIterator[Item]:
    yield Item(name=prefix)
