"""Sanic: the work with its routes and responses, orjson, and Pydantic where there are models."""

import os
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from sanic import HTTPResponse, Request, Sanic, json
from sanic.exceptions import BadRequest, SanicException
from sanic.response import raw

from benchmarks.data import MANY, ROUTES, Item
from benchmarks.session import session

ITEMS = TypeAdapter(list[Item])


async def read_plain(request: Request) -> HTTPResponse:
    return json({"hello": "world"})


async def read_item(request: Request, item_id: int) -> HTTPResponse:
    try:
        limit = int(request.args.get("limit", "10"))
    except ValueError:
        raise BadRequest("limit is not an integer") from None
    return json({"item_id": item_id, "q": request.args.get("q"), "limit": limit})


async def create_item(request: Request) -> HTTPResponse:
    try:
        item = Item.model_validate_json(request.body)
    except ValidationError as exc:
        raise SanicException(str(exc), status_code=422) from None
    return raw(item.model_dump_json().encode(), content_type="application/json")


async def read_deps(request: Request) -> HTTPResponse:
    settings = {"url": "db://shop", "currency": "EUR"}
    token = request.headers.get("x-token")
    if token is None:
        raise BadRequest("x-token is missing")
    async with session(settings) as opened:
        return json({"user": token[:4], "currency": settings["currency"], "open": opened.is_open})


async def read_items(request: Request) -> HTTPResponse:
    return raw(ITEMS.dump_json(MANY), content_type="application/json")


def compute(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}


async def read_sync(request: Request, item_id: int) -> HTTPResponse:
    return json(await request.app.loop.run_in_executor(None, compute, item_id))


def part(n: int) -> Any:
    async def read_part(request: Request, item_id: int) -> HTTPResponse:
        return json({"part": n, "item_id": item_id})

    return read_part


async def add_header(request: Request, response: HTTPResponse) -> None:
    response.headers["x-served-by"] = "bench"


ROUTES_OF: dict[str, Any] = {
    "plain": lambda: {"/plain": read_plain},
    "item": lambda: {"/items/<item_id:int>": read_item},
    "post": lambda: {"/items": create_item, "/unnamed": create_item},
    "deps": lambda: {"/deps": read_deps},
    "list": lambda: {"/items": read_items},
    "route500": lambda: {f"/shop/part{n}/<item_id:int>": part(n) for n in range(ROUTES)},
    "mw": lambda: {"/plain": read_plain},
    "sync": lambda: {"/sync/<item_id:int>": read_sync},
}


def build(work: str) -> Any:
    """Make the application for one work."""
    app: Any = Sanic("benchmark", dumps=orjson.dumps)
    for number, (path, handler) in enumerate(ROUTES_OF[work]().items()):
        app.add_route(handler, path, methods=["POST" if work == "post" else "GET"], name=f"route{number}")
    if work == "mw":
        app.on_response(add_header)
    return app


app = build(os.environ.get("BENCHMARKS_WORK", "plain"))
