"""A sync endpoint by the direct door."""

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


@app.get("/items/{item_id}")
def read_item(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}
