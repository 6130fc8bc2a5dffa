"""A JSON body that is one model, answered through the same model."""

from pydantic import BaseModel

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str
    price: float


@app.post("/items", status_code=201)
async def create_item(item: Item) -> Item:
    return item
