"""A body, read before the dependencies, and validated after them."""

from typing import Annotated

from pydantic import BaseModel

from slipstream import Depends, FastAPI, Header

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str


async def current_user(x_token: Annotated[str, Header()]) -> str:
    return x_token


@app.post("/items")
async def create_item(item: Item, user: Annotated[str, Depends(current_user)]) -> Item:
    return item
