"""Hand-written RSGI, for Granian: what `raw.py` does for ASGI, with its table of routes and its errors."""

import os
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from pydantic_core import to_json as encode

from benchmarks.apps import raw
from benchmarks.apps.raw import Refused, integer, session
from benchmarks.data import Item


class App(raw.App):
    """The routes, called by RSGI's protocol. Those of `raw.py` that read nothing but the path are used as they are."""

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        status, headers = 200, [("content-type", "application/json")]
        try:
            endpoint, rest = self.match(scope.method, scope.path)
            body = await endpoint(scope, protocol, rest)
        except Refused as exc:
            status = exc.status
            headers += [(name.decode(), value.decode()) for name, value in exc.headers]
            body = encode({"detail": exc.detail})
        protocol.response_bytes(status, headers, body)


async def read_item(scope: Any, protocol: Any, rest: str) -> bytes:
    item_id = integer(rest, "path", "item_id")
    query = dict(parse_qsl(scope.query_string, keep_blank_values=True))
    limit = integer(query.get("limit", "10"), "query", "limit")
    return encode({"item_id": item_id, "q": query.get("q"), "limit": limit})


async def create_item(scope: Any, protocol: Any, rest: str) -> bytes:
    try:
        item = Item.model_validate_json(await protocol())
    except ValidationError as exc:
        raise Refused(422, exc.errors(include_url=False, include_input=False)) from None
    return item.model_dump_json().encode()


async def read_deps(scope: Any, protocol: Any, rest: str) -> bytes:
    settings = {"url": "db://shop", "currency": "EUR"}
    async with session(settings) as opened:
        token = scope.headers.get("x-token")
        if token is None:
            raise Refused(422, [{"type": "missing", "loc": ["header", "x-token"], "msg": "Field required"}])
        return encode({"user": token[:4], "currency": settings["currency"], "open": opened.is_open})


class AddingAHeader:
    """One middleware by hand."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        await self.app.__rsgi__(scope, WithHeader(protocol))


class WithHeader:
    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        headers.append(("x-served-by", "bench"))
        self.protocol.response_bytes(status, headers, body)


OWN: dict[Any, Any] = {raw.read_item: read_item, raw.create_item: create_item, raw.read_deps: read_deps}


def build(work: str) -> Any:
    """Make the application for one work."""
    if work == "mw":
        return AddingAHeader(build("plain"))
    by_hand = raw.build(work)

    def own(routes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {path: {name: OWN.get(each, each) for name, each in by.items()} for path, by in routes.items()}

    return App(own(by_hand.exact), own(by_hand.prefixed))


app = build(os.environ.get("BENCHMARKS_WORK", "plain"))
