"""A key that may come several times, and one with a name of its own."""

from typing import Annotated

from slipstream import FastAPI, Query

app = FastAPI(openapi_url=None)


@app.get("/items")
async def list_items(
    tags: Annotated[list[str], Query()] = [],  # noqa: B006 - never changed; each request gets a copy
    item_query: Annotated[str | None, Query(alias="item-query")] = None,
):
    return [tags, item_query]
