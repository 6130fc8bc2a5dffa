"""Falcon: the work with its resources and converters, orjson as its guide advises, and Pydantic for models."""

from typing import Any

import falcon
import falcon.asgi
import orjson
from falcon.media import JSONHandler
from pydantic import TypeAdapter, ValidationError

from benchmarks.data import MANY, ROUTES, Item
from benchmarks.session import session

ITEMS = TypeAdapter(list[Item])
Request, Response = falcon.asgi.Request, falcon.asgi.Response


class Plain:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = {"hello": "world"}


class ById:
    async def on_get(self, req: Request, resp: Response, item_id: int) -> None:
        resp.media = {"item_id": item_id, "q": req.get_param("q"), "limit": req.get_param_as_int("limit", default=10)}


class Created:
    async def on_post(self, req: Request, resp: Response) -> None:
        try:
            item = Item.model_validate_json(await req.stream.read())
        except ValidationError as exc:
            raise falcon.HTTPUnprocessableEntity(description=str(exc)) from None
        resp.data = item.model_dump_json().encode()
        resp.content_type = falcon.MEDIA_JSON


class Deps:
    async def on_get(self, req: Request, resp: Response) -> None:
        settings = {"url": "db://shop", "currency": "EUR"}
        token = req.get_header("x-token", required=True)
        async with session(settings) as opened:
            resp.media = {"user": token[:4], "currency": settings["currency"], "open": opened.is_open}


class Many:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.data = ITEMS.dump_json(MANY)
        resp.content_type = falcon.MEDIA_JSON


class Part:
    def __init__(self, n: int) -> None:
        self.n = n

    async def on_get(self, req: Request, resp: Response, item_id: int) -> None:
        resp.media = {"part": self.n, "item_id": item_id}


def compute(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}


class InThread:
    async def on_get(self, req: Request, resp: Response, item_id: int) -> None:
        resp.media = await falcon.sync_to_async(compute, item_id)


class AddHeader:
    async def process_response(self, req: Request, resp: Response, resource: Any, req_succeeded: bool) -> None:
        resp.set_header("x-served-by", "bench")


ROUTES_OF: dict[str, Any] = {
    "plain": lambda: {"/plain": Plain()},
    "item": lambda: {"/items/{item_id:int}": ById()},
    "post": lambda: {"/items": Created(), "/unnamed": Created()},
    "deps": lambda: {"/deps": Deps()},
    "list": lambda: {"/items": Many()},
    "route500": lambda: {f"/shop/part{n}/{{item_id:int}}": Part(n) for n in range(ROUTES)},
    "mw": lambda: {"/plain": Plain()},
    "sync": lambda: {"/sync/{item_id:int}": InThread()},
}


def build(work: str) -> Any:
    """Make the application for one work."""
    app = falcon.asgi.App(middleware=[AddHeader()] if work == "mw" else [])
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = JSONHandler(dumps=orjson.dumps, loads=orjson.loads)
    for path, resource in ROUTES_OF[work]().items():
        app.add_route(path, resource)
    return app
