"""Hand-written ASGI: what a good engineer writes for just this work, without a framework.

Correct (405, 404, 422, content length) and plain: a dict for the routes, `parse_qsl` for the query, a loop over the
headers, Pydantic straight from and to bytes, a thread for what blocks. Neither tuned beyond what one would maintain
nor slowed down.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json as encode

from benchmarks.data import MANY, ROUTES, Item
from benchmarks.session import session

Header = tuple[bytes, bytes]
Endpoint = Callable[[Any, Any, str], Awaitable[bytes | tuple[int, list[Header], bytes]]]
"""Returns JSON, or status, headers and content."""

ITEMS = TypeAdapter(list[Item])
NUMBER = TypeAdapter(int)
CONTENT_TYPE = (b"content-type", b"application/json")


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, detail: Any, headers: tuple[Header, ...] = ()) -> None:
        self.status = status
        self.detail = detail
        self.headers = headers


class App:
    """Routes by what comes before the last slash, or by the whole path; then by method."""

    def __init__(self, exact: dict[str, dict[str, Endpoint]], prefixed: dict[str, dict[str, Endpoint]]) -> None:
        self.exact = exact
        self.prefixed = prefixed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"cannot serve {scope['type']}")
        status = 200
        headers: list[Header] = [CONTENT_TYPE]
        try:
            endpoint, rest = self.match(scope["method"], scope["path"])
            body = await endpoint(scope, receive, rest)
            if isinstance(body, tuple):
                status, headers, body = body
        except Refused as exc:
            status, headers = exc.status, [CONTENT_TYPE, *exc.headers]
            body = encode({"detail": exc.detail})
        headers = [*headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def match(self, method: str, path: str) -> tuple[Endpoint, str]:
        methods, rest = self.exact.get(path), ""
        if methods is None:
            prefix, _, rest = path.rpartition("/")
            methods = self.prefixed.get(prefix) if rest else None
            if methods is None:
                raise Refused(404, "Not Found")
        endpoint = methods.get(method)
        if endpoint is None:
            raise Refused(405, "Method Not Allowed", ((b"allow", ", ".join(methods).encode()),))
        return endpoint, rest


def integer(text: str, *loc: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused(422, [{"type": "int_parsing", "loc": loc, "msg": "not an integer", "input": text}]) from None


def header(scope: Any, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


async def read_body(receive: Any) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    parts = [body]
    while message.get("more_body", False):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def read_plain(scope: Any, receive: Any, rest: str) -> bytes:
    return encode({"hello": "world"})


async def read_item(scope: Any, receive: Any, rest: str) -> bytes:
    item_id = integer(rest, "path", "item_id")
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    limit = integer(query.get("limit", "10"), "query", "limit")
    return encode({"item_id": item_id, "q": query.get("q"), "limit": limit})


async def create_item(scope: Any, receive: Any, rest: str) -> bytes:
    try:
        item = Item.model_validate_json(await read_body(receive))
    except ValidationError as exc:
        raise Refused(422, exc.errors(include_url=False, include_input=False)) from None
    return item.model_dump_json().encode()


async def read_deps(scope: Any, receive: Any, rest: str) -> bytes:
    settings = {"url": "db://shop", "currency": "EUR"}
    async with session(settings) as opened:
        token = header(scope, b"x-token")
        if token is None:
            raise Refused(422, [{"type": "missing", "loc": ["header", "x-token"], "msg": "Field required"}])
        return encode({"user": token[:4], "currency": settings["currency"], "open": opened.is_open})


async def read_items(scope: Any, receive: Any, rest: str) -> bytes:
    return ITEMS.dump_json(MANY)


def part(n: int) -> Endpoint:
    async def read_part(scope: Any, receive: Any, rest: str) -> bytes:
        return encode({"part": n, "item_id": integer(rest, "path", "item_id")})

    return read_part


def compute(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}


async def read_sync(scope: Any, receive: Any, rest: str) -> bytes:
    item_id = integer(rest, "path", "item_id")
    return encode(await asyncio.get_running_loop().run_in_executor(None, compute, item_id))


async def read_text(scope: Any, receive: Any, rest: str) -> tuple[int, list[Header], bytes]:
    return 200, [(b"content-type", b"text/plain; charset=utf-8")], b"hello world"


async def read_html(scope: Any, receive: Any, rest: str) -> tuple[int, list[Header], bytes]:
    return 200, [(b"content-type", b"text/html; charset=utf-8")], b"<p>hello world</p>"


async def redirect(scope: Any, receive: Any, rest: str) -> tuple[int, list[Header], bytes]:
    return 307, [(b"location", b"/text")], b""


async def read_cookie(scope: Any, receive: Any, rest: str) -> tuple[int, list[Header], bytes]:
    cookie: SimpleCookie = SimpleCookie({"theme": "dark"})
    cookie["theme"]["path"], cookie["theme"]["samesite"] = "/", "lax"
    value = cookie.output(header="").strip().encode("latin-1")
    return 200, [CONTENT_TYPE, (b"set-cookie", value)], encode({"hello": "world"})


async def fail(scope: Any, receive: Any, rest: str) -> bytes:
    raise Refused(409, "taken")


async def read_number(scope: Any, receive: Any, rest: str) -> bytes:
    try:
        return encode({"number": NUMBER.validate_python(rest)})
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        raise Refused(422, [{**error, "loc": ("path", "number")} for error in errors]) from None


def adding_a_header(app: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        async def send_with_header(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-served-by", b"bench"))
            await send(message)

        await app(scope, receive, send_with_header)

    return middleware


def build(work: str) -> Any:
    """Make the application for one work."""
    if work == "mw":
        return adding_a_header(build("plain"))
    return {
        "plain": App({"/plain": {"GET": read_plain}}, {}),
        "item": App({}, {"/items": {"GET": read_item}}),
        "post": App({"/items": {"POST": create_item}, "/unnamed": {"POST": create_item}}, {}),
        "deps": App({"/deps": {"GET": read_deps}}, {}),
        "list": App({"/items": {"GET": read_items}}, {}),
        "route500": App({}, {f"/shop/part{n}": {"GET": part(n)} for n in range(ROUTES)}),
        "answers": App(
            {
                "/text": {"GET": read_text},
                "/html": {"GET": read_html},
                "/redirect": {"GET": redirect},
                "/cookie": {"GET": read_cookie},
                "/error": {"GET": fail},
            },
            {"/numbers": {"GET": read_number}},
        ),
        "sync": App({}, {"/sync": {"GET": read_sync}}),
    }[work]
