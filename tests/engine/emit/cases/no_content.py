"""A status that allows no body."""

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


@app.delete("/items/{item_id}", status_code=204)
async def delete_item(item_id: str): ...
