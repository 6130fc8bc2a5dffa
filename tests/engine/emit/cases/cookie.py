"""Cookies: one required, one that may be missing."""

from typing import Annotated

from slipstream import Cookie, FastAPI

app = FastAPI(openapi_url=None)


@app.get("/items")
async def list_items(session: Annotated[str, Cookie()], theme: Annotated[str | None, Cookie()] = None):
    return [session, theme]
