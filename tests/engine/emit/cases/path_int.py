"""A path parameter that is validated, beside one that any string fits."""

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


@app.get("/users/{user_name}/items/{item_id}")
async def read_item(user_name: str, item_id: int):
    return {"user": user_name, "item": item_id}
