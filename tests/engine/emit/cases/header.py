"""Headers: one required, one with a default, one of numbers."""

from typing import Annotated

from slipstream import FastAPI, Header

app = FastAPI(openapi_url=None)


@app.get("/items")
async def list_items(
    x_token: Annotated[str, Header()],
    user_agent: Annotated[str | None, Header()] = None,
    x_limit: Annotated[int, Header()] = 10,
):
    return [x_token, user_agent, x_limit]
