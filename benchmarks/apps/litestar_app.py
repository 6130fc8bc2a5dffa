"""Litestar: the work with its parameters, dependencies and msgspec's structs, which are the fastest models it has."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import msgspec
from litestar import Litestar, get, post
from litestar.di import Provide
from litestar.params import Parameter
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.data import MANY, ROUTES


class Item(msgspec.Struct):
    """The model of `benchmarks.data`."""

    sku: str
    name: str
    price: float
    description: str | None = None
    tax: float | None = None
    stock: int = 0
    is_offer: bool = False
    tags: list[str] = []


ITEMS = msgspec.convert([item.model_dump() for item in MANY], list[Item])


class Session:
    def __init__(self, url: str) -> None:
        self.url = url
        self.is_open = True


async def settings() -> dict[str, str]:
    return {"url": "db://shop", "currency": "EUR"}


async def session(settings: dict[str, str]) -> AsyncGenerator[Session, None]:
    made = Session(settings["url"])
    try:
        yield made
    finally:
        made.is_open = False


async def user(x_token: Annotated[str, Parameter(header="x-token")]) -> str:
    return x_token[:4]


async def service(session: Session, user: str, settings: dict[str, str]) -> dict[str, Any]:
    return {"user": user, "currency": settings["currency"], "open": session.is_open}


@get("/plain")
async def read_plain() -> dict[str, str]:
    return {"hello": "world"}


@get("/items/{item_id:int}")
async def read_item(item_id: int, q: str | None = None, limit: int = 10) -> dict[str, Any]:
    return {"item_id": item_id, "q": q, "limit": limit}


@post(["/items", "/unnamed"], status_code=200)
async def create_item(data: Item) -> Item:
    return data


DEPENDENCIES = {each.__name__: Provide(each) for each in (settings, session, user, service)}


@get("/deps", dependencies=DEPENDENCIES)
async def read_deps(service: dict[str, Any]) -> dict[str, Any]:
    return service


@get("/items")
async def read_items() -> list[Item]:
    return ITEMS


@get("/sync/{item_id:int}", sync_to_thread=True)
def read_sync(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}


def part(n: int) -> Any:
    @get(f"/shop/part{n}/{{item_id:int}}")
    async def read_part(item_id: int) -> dict[str, int]:
        return {"part": n, "item_id": item_id}

    return read_part


def adding_a_header(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-served-by", b"bench")]
            await send(message)

        await app(scope, receive, send_with_header)

    return middleware


HANDLERS: dict[str, Any] = {
    "plain": lambda: [read_plain],
    "item": lambda: [read_item],
    "post": lambda: [create_item],
    "deps": lambda: [read_deps],
    "list": lambda: [read_items],
    "route500": lambda: [part(n) for n in range(ROUTES)],
    "mw": lambda: [read_plain],
    "sync": lambda: [read_sync],
}


def build(work: str) -> Any:
    """Make the application for one work."""
    middleware = [adding_a_header] if work == "mw" else []
    return Litestar(HANDLERS[work](), middleware=middleware, openapi_config=None)
