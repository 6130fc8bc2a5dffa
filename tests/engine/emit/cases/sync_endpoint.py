"""A sync endpoint with a sync dependency: each runs in a worker thread."""

from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


def settings() -> str:
    return "settings"


@app.get("/items/{item_id}")
def read_item(item_id: int, settings: Annotated[str, Depends(settings)]):
    return {"item": item_id}
