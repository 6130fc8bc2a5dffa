"""A sync endpoint with all that its worker can do: a generator, values that may be wrong, a body, a response model."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str
    price: float = 0


def session() -> Iterator[str]:
    yield "session"


def user(token: str, session: Annotated[str, Depends(session)]) -> str:
    return token


@app.put("/items/{item_id}")
def put_item(item_id: int, item: Item, user: Annotated[str, Depends(user)]) -> Item:
    return item
