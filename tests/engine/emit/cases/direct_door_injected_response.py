"""Headers and status set on a response that slipstream hands over."""

from slipstream import FastAPI, Response

app = FastAPI(openapi_url=None)


@app.put("/items/{item_id}")
async def put_item(item_id: str, response: Response):
    response.status_code = 201
    response.headers["x-item"] = item_id
    return {"item": item_id}
