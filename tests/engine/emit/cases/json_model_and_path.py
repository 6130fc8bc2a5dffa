"""A JSON body beside other parameters: all errors are gathered, the body's last."""

from pydantic import BaseModel

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str
    price: float


@app.put("/items/{item_id}")
async def update_item(item_id: int, item: Item, notify: bool = False):
    return {"id": item_id, "notify": notify, **item.model_dump()}
