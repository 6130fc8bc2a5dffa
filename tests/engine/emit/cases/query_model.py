"""A model whose fields are query parameters."""

from typing import Annotated

from pydantic import BaseModel

from slipstream import FastAPI, Query

app = FastAPI(openapi_url=None)


class Paging(BaseModel):
    limit: int = 10
    after: str | None = None


@app.get("/items")
async def list_items(paging: Annotated[Paging, Query()]):
    return paging.after
