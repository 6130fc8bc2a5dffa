"""Parameters that are called what the generated text calls things of its own."""

from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


async def send(scope: str = "all", list: str = "none") -> str:
    return scope + list


@app.get("/{errors}")
async def query(errors: int, result: Annotated[str, Depends(send)], payload: str | None = None):
    return [errors, result, payload]
