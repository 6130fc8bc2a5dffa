"""Sync dependencies of an async endpoint: those in a row share a thread, and give back what is needed behind them."""

from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


def settings() -> str:
    return "settings"


def connection(settings: Annotated[str, Depends(settings)], pool: str = "main") -> str:
    return settings


def user(connection: Annotated[str, Depends(connection)]) -> str:
    return connection


@app.get("/items")
async def list_items(user: Annotated[str, Depends(user)], settings: Annotated[str, Depends(settings)], q: str = ""):
    return []
