"""The least: nothing is read."""

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


@app.get("/")
async def read_root():
    return {"hello": "world"}
