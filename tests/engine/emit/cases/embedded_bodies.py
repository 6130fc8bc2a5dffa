"""Several body parameters: the document has a key for each."""

from typing import Annotated

from pydantic import BaseModel

from slipstream import Body, FastAPI

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str


class User(BaseModel):
    email: str


@app.post("/offers")
async def make_offer(item: Item, user: User, urgency: Annotated[int, Body(gt=0)] = 1):
    return [item, user, urgency]
