"""Robyn: the work with its typed parameters and bodies, and by hand what it has no dependencies for."""

import os
from typing import Any

from robyn import Headers, Request, Response, Robyn

from benchmarks.data import MANY, ROUTES, Item
from benchmarks.session import session


def plain(app: Any) -> None:
    @app.get("/plain")
    async def read_plain() -> Any:
        return {"hello": "world"}


def item(app: Any) -> None:
    @app.get("/items/:item_id")
    async def read_item(item_id: int, q: str | None = None, limit: int = 10) -> Any:
        q = q and q.replace("+", " ")  # Robyn leaves the + that a form writes for a space
        return {"item_id": item_id, "q": q, "limit": limit}


def post(app: Any) -> None:
    @app.post("/items")
    async def create_item(item: Item) -> Any:
        return item

    @app.post("/unnamed")
    async def echo_item(item: Item) -> Any:
        return item


def deps(app: Any) -> None:
    @app.get("/deps")
    async def read_deps(request: Request) -> Any:
        settings = {"url": "db://shop", "currency": "EUR"}
        token = request.headers.get("x-token")
        if token is None:
            return Response(422, Headers({}), "x-token is missing")
        async with session(settings) as opened:
            return {"user": token[:4], "currency": settings["currency"], "open": opened.is_open}


def many(app: Any) -> None:
    @app.get("/items")
    async def read_items() -> Any:
        return MANY


def route500(app: Any) -> None:
    def add(n: int) -> None:
        @app.get(f"/shop/part{n}/:item_id")
        async def read_part(item_id: int) -> Any:
            return {"part": n, "item_id": item_id}

    for n in range(ROUTES):
        add(n)


def mw(app: Any) -> None:
    plain(app)

    @app.after_request()
    async def add_header(response: Response) -> Response:
        response.headers.set("x-served-by", "bench")
        return response


def sync(app: Any) -> None:
    @app.get("/sync/:item_id")
    def read_sync(item_id: int) -> Any:
        return {"item_id": item_id}


WORK = {
    "plain": plain,
    "item": item,
    "post": post,
    "deps": deps,
    "list": many,
    "route500": route500,
    "mw": mw,
    "sync": sync,
}


def build(work: str) -> Any:
    """Make the application for one work."""
    app = Robyn(__file__)
    WORK[work](app)
    return app


if __name__ == "__main__":
    build(os.environ["BENCHMARKS_WORK"]).start()  # where, says the environment: ROBYN_HOST and ROBYN_PORT
