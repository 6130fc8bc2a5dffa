"""BlackSheep: the work with its binders, and services that it makes for each request; it closes none of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from blacksheep import Application, Content, FromHeader, FromJSON, Request, Response
from blacksheep.settings.json import json_settings
from pydantic import TypeAdapter

from benchmarks.data import MANY, ROUTES, Item

ITEMS = TypeAdapter(list[Item])


class Settings:
    def __init__(self) -> None:
        self.url = "db://shop"
        self.currency = "EUR"


class Token(FromHeader[str]):
    name = "x-token"


class Session:
    def __init__(self, url: str) -> None:
        self.url = url
        self.is_open = True


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Session]:
    made = Session(url)
    try:
        yield made
    finally:
        made.is_open = False


def encoded(body: bytes) -> Response:
    return Response(200, None, Content(b"application/json", body))


async def read_plain() -> dict[str, str]:
    return {"hello": "world"}


async def read_item(item_id: int, q: str | None = None, limit: int = 10) -> dict[str, Any]:
    return {"item_id": item_id, "q": q, "limit": limit}


async def create_item(data: FromJSON[Item]) -> Response:
    return encoded(data.value.model_dump_json().encode())


async def read_deps(settings: Settings, token: Token) -> dict[str, Any]:
    async with session(settings.url) as opened:
        return {"user": token.value[:4], "currency": settings.currency, "open": opened.is_open}


async def read_items() -> Response:
    return encoded(ITEMS.dump_json(MANY))


def compute(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}


async def read_sync(item_id: int) -> dict[str, int]:
    return await asyncio.get_running_loop().run_in_executor(None, compute, item_id)


def part(n: int) -> Any:
    async def read_part(item_id: int) -> dict[str, int]:
        return {"part": n, "item_id": item_id}

    return read_part


async def add_header(request: Request, handler: Any) -> Response:
    response: Response = await handler(request)
    response.add_header(b"x-served-by", b"bench")
    return response


ROUTES_OF: dict[str, Any] = {
    "plain": lambda: {"/plain": read_plain},
    "item": lambda: {"/items/{item_id}": read_item},
    "post": lambda: {"/items": create_item, "/unnamed": create_item},
    "deps": lambda: {"/deps": read_deps},
    "list": lambda: {"/items": read_items},
    "route500": lambda: {f"/shop/part{n}/{{item_id}}": part(n) for n in range(ROUTES)},
    "mw": lambda: {"/plain": read_plain},
    "sync": lambda: {"/sync/{item_id}": read_sync},
}


def build(work: str) -> Any:
    """Make the application for one work."""
    json_settings.use(loads=orjson.loads, dumps=lambda value: orjson.dumps(value).decode())
    app = Application()
    app.services.add_scoped(Settings)
    if work == "mw":
        app.middlewares.append(add_header)
    add = app.router.add_post if work == "post" else app.router.add_get
    for path, handler in ROUTES_OF[work]().items():
        add(path, handler)
    return app
