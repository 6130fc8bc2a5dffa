"""The work as a FastAPI program writes it: one source, for FastAPI and for slipstream."""

from collections.abc import AsyncIterator
from types import ModuleType
from typing import Annotated, Any

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from benchmarks.data import MANY, ROUTES, Item


def build(web: ModuleType, work: str) -> Any:
    """Make the application for one work, with the names of `web` (fastapi or slipstream)."""
    app = web.FastAPI()
    WORK[work](web, app)
    return app


def plain(web: ModuleType, app: Any) -> None:
    @app.get("/plain")
    async def read_plain():  # type: ignore[no-untyped-def]  # as programs write it: no response model
        return {"hello": "world"}


def item(web: ModuleType, app: Any) -> None:
    @app.get("/items/{item_id}")
    async def read_item(item_id: int, q: str | None = None, limit: int = 10):  # type: ignore[no-untyped-def]
        return {"item_id": item_id, "q": q, "limit": limit}


def post(web: ModuleType, app: Any) -> None:
    @app.post("/items")
    async def create_item(item: Item) -> Item:
        return item

    @app.post("/unnamed")
    async def echo_item(item: Item):  # type: ignore[no-untyped-def]  # as many programs are: no response model
        return item


def deps(web: ModuleType, app: Any) -> None:
    class Session:
        def __init__(self, url: str) -> None:
            self.url = url
            self.is_open = True

    async def settings() -> dict[str, str]:
        return {"url": "db://shop", "currency": "EUR"}

    async def session(settings: Annotated[dict[str, str], web.Depends(settings)]) -> AsyncIterator[Session]:
        made = Session(settings["url"])
        try:
            yield made
        finally:
            made.is_open = False

    async def user(x_token: Annotated[str, web.Header()]) -> str:
        return x_token[:4]

    async def service(
        session: Annotated[Session, web.Depends(session)],
        user: Annotated[str, web.Depends(user)],
        settings: Annotated[dict[str, str], web.Depends(settings)],
    ) -> dict[str, Any]:
        return {"user": user, "currency": settings["currency"], "open": session.is_open}

    @app.get("/deps")
    async def read_deps(service: Annotated[dict[str, Any], web.Depends(service)]):  # type: ignore[no-untyped-def]
        return service


def many(web: ModuleType, app: Any) -> None:
    @app.get("/items")
    async def read_items() -> list[Item]:
        return MANY


def route500(web: ModuleType, app: Any) -> None:
    def add(n: int) -> None:
        @app.get(f"/shop/part{n}/{{item_id}}")
        async def read_part(item_id: int):  # type: ignore[no-untyped-def]
            return {"part": n, "item_id": item_id}

    for n in range(ROUTES):
        add(n)


def mw(web: ModuleType, app: Any) -> None:
    plain(web, app)

    @app.middleware("http")
    async def add_header(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-served-by"] = "bench"
        return response


def sync(web: ModuleType, app: Any) -> None:
    @app.get("/sync/{item_id}")
    def read_sync(item_id: int):  # type: ignore[no-untyped-def]
        return {"item_id": item_id}


def answers(web: ModuleType, app: Any) -> None:
    @app.get("/text")
    async def read_text():  # type: ignore[no-untyped-def]
        return PlainTextResponse("hello world")

    @app.get("/html")
    async def read_html():  # type: ignore[no-untyped-def]
        return HTMLResponse("<p>hello world</p>")

    @app.get("/redirect")
    async def redirect():  # type: ignore[no-untyped-def]
        return RedirectResponse("/text")

    @app.get("/cookie")
    async def read_cookie(response: web.Response):  # type: ignore[no-untyped-def, name-defined]
        response.set_cookie("theme", "dark")
        return {"hello": "world"}

    @app.get("/error")
    async def fail() -> None:
        raise web.HTTPException(409, "taken")

    @app.get("/numbers/{number}")
    async def read_number(number: int):  # type: ignore[no-untyped-def]
        return {"number": number}


WORK = {
    "answers": answers,
    "plain": plain,
    "item": item,
    "post": post,
    "deps": deps,
    "list": many,
    "route500": route500,
    "mw": mw,
    "sync": sync,
}
