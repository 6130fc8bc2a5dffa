"""Query parameters: required, with defaults of several types, constrained, an enum."""

from enum import StrEnum
from typing import Annotated

from slipstream import FastAPI, Query

app = FastAPI(openapi_url=None)


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"


@app.get("/items")
async def list_items(
    owner: str,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    after: str | None = None,
    order: Order = Order.NEWEST,
    color: str = "any",
    price: float | None = None,
):
    return [owner, limit, after, order, color, price]
