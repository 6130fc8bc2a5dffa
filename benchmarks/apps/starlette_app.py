"""Starlette: the work with its requests, responses and routes, and Pydantic where there are models."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from benchmarks.data import MANY, ROUTES, Item
from benchmarks.session import session

ITEMS = TypeAdapter(list[Item])
NUMBER = TypeAdapter(int)


def build(work: str) -> Any:
    """Make the application for one work."""
    middleware = [Middleware(BaseHTTPMiddleware, dispatch=add_header)] if work == "mw" else []
    handlers: Any = {HTTPException: json_error}
    return Starlette(routes=ROUTES_OF[work](), middleware=middleware, exception_handlers=handlers)


async def json_error(request: Request, exc: HTTPException) -> Response:
    return JSONResponse({"detail": exc.detail}, exc.status_code, exc.headers)


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise HTTPException(422, "not an integer") from None


async def read_plain(request: Request) -> Response:
    return JSONResponse({"hello": "world"})


async def read_item(request: Request) -> Response:
    query = request.query_params
    return JSONResponse(
        {
            "item_id": integer(request.path_params["item_id"]),
            "q": query.get("q"),
            "limit": integer(query.get("limit", "10")),
        }
    )


async def create_item(request: Request) -> Response:
    try:
        item = Item.model_validate_json(await request.body())
    except ValidationError as exc:
        return JSONResponse({"detail": exc.errors(include_url=False, include_input=False)}, 422)
    return Response(item.model_dump_json(), media_type="application/json")


async def read_deps(request: Request) -> Response:
    settings = {"url": "db://shop", "currency": "EUR"}
    token = request.headers.get("x-token")
    if token is None:
        raise HTTPException(422, "x-token is missing")
    async with session(settings) as opened:
        return JSONResponse({"user": token[:4], "currency": settings["currency"], "open": opened.is_open})


async def read_items(request: Request) -> Response:
    return Response(ITEMS.dump_json(MANY), media_type="application/json")


def part(n: int) -> Route:
    async def read_part(request: Request) -> Response:
        return JSONResponse({"part": n, "item_id": integer(request.path_params["item_id"])})

    return Route(f"/shop/part{n}/{{item_id}}", read_part)


def read_sync(request: Request) -> Response:
    return JSONResponse({"item_id": integer(request.path_params["item_id"])})


async def add_header(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers["x-served-by"] = "bench"
    return response


async def read_text(request: Request) -> Response:
    return PlainTextResponse("hello world")


async def read_html(request: Request) -> Response:
    return HTMLResponse("<p>hello world</p>")


async def redirect(request: Request) -> Response:
    return RedirectResponse("/text")


async def read_cookie(request: Request) -> Response:
    response = JSONResponse({"hello": "world"})
    response.set_cookie("theme", "dark")
    return response


async def fail(request: Request) -> Response:
    raise HTTPException(409, "taken")


async def read_number(request: Request) -> Response:
    try:
        return JSONResponse({"number": NUMBER.validate_python(request.path_params["number"])})
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        return JSONResponse({"detail": [{**error, "loc": ["path", "number"]} for error in errors]}, 422)


ANSWERS = {
    "/text": read_text, "/html": read_html, "/redirect": redirect, "/cookie": read_cookie, "/error": fail,
    "/numbers/{number}": read_number,
}  # fmt: skip
ROUTES_OF: dict[str, Any] = {
    "plain": lambda: [Route("/plain", read_plain)],
    "item": lambda: [Route("/items/{item_id}", read_item)],
    "post": lambda: [Route(path, create_item, methods=["POST"]) for path in ("/items", "/unnamed")],
    "deps": lambda: [Route("/deps", read_deps)],
    "list": lambda: [Route("/items", read_items)],
    "route500": lambda: [part(n) for n in range(ROUTES)],
    "mw": lambda: [Route("/plain", read_plain)],
    "answers": lambda: [Route(path, endpoint) for path, endpoint in ANSWERS.items()],
    "sync": lambda: [Route("/sync/{item_id}", read_sync)],
}
