"""The way from the server to the handler that the table names, and the answers to what nothing serves."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from slipstream._engine.entry.asgi import Target, make_chooser
from slipstream._engine.entry.guard import HANDLERS
from slipstream._engine.router.pattern import read_pattern
from slipstream._engine.router.table import OpaqueEntry, Table
from slipstream._engine.router.tree import Entry

pytestmark = pytest.mark.anyio

HANDLERS_OF_THE_APP: Any = ({}, {})


class Seen:
    """An ASGI app that keeps what it is called with."""

    def __init__(self, error: Exception | None = None) -> None:
        self.scopes: list[Any] = []
        self.error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if self.error is not None:
            raise self.error


class Answer:
    """What was sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def send(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return self.messages[0]["status"]  # type: ignore[no-any-return]

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


def http(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": path, "query_string": b"", "headers": [(b"host", b"test")],
        "root_path": "", "scheme": "http", "server": ("test", 80), **more,
    }  # fmt: skip


def table(handler: Any, *, mixed: bool = False, **options: Any) -> Table:
    """A table of GET /items/{number:int}, of a WebSocket at /socket, and of something opaque if it is mixed."""
    entries: list[Any] = [
        Entry(rank=0, pattern=read_pattern("/items/{number:int}"), value=Target("route", "endpoint", handler),
              methods=frozenset({"GET"})),
        Entry(rank=1, pattern=read_pattern("/socket"), value=Target("socket", "talk", handler), protocol="websocket"),
    ]  # fmt: skip
    if mixed:
        target = Target("opaque", None, handler)
        entries.append(OpaqueEntry(rank=2, matches=opaque_matches, value=target, prefix="/opaque/"))
    return Table(entries, **options)


def opaque_matches(scope: Any) -> tuple[int, Any]:
    return (2 if scope.get("method") == "GET" else 1), {"endpoint": "mine", "path_params": {"rest": "x"}}


class Router:
    """As much of a router as an entry needs."""

    def __init__(self) -> None:
        self.default = Seen()
        self.lifespans = Seen()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.lifespans(scope, receive, send)


def app_of(choose: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await choose(scope).handler(scope, receive, send)

    return app


def door_of_a_router(table: Table, router: Router) -> Any:
    return app_of(make_chooser(table, router))


def door_of_an_app(table: Table, router: Router) -> Any:
    return app_of(make_chooser(table, router, HANDLERS_OF_THE_APP))


doors = pytest.mark.parametrize("door", [door_of_a_router, door_of_an_app])
both_kinds = pytest.mark.parametrize("mixed", [False, True])
Door = Callable[[Table, Router], Any]


@doors
@both_kinds
async def test_the_scope_names_route_endpoint_and_parameters(door: Door, mixed: bool) -> None:
    """Middleware beneath and request objects read them; parameters of a mount above stay."""
    handler = Seen()
    app = door(table(handler, mixed=mixed), Router())

    await app(http("/items/3", path_params={"outer": "o"}), receive, Answer().send)

    (scope,) = handler.scopes
    assert (scope["route"], scope["endpoint"]) == ("route", "endpoint")
    assert scope["path_params"] == {"outer": "o", "number": 3}


@doors
@both_kinds
async def test_web_sockets_are_looked_up_among_themselves(door: Door, mixed: bool) -> None:
    """A path may be served for both protocols."""
    handler = Seen()
    app = door(table(handler, mixed=mixed), Router())

    await app({"type": "websocket", "path": "/socket", "headers": [], "root_path": ""}, receive, Answer().send)

    assert handler.scopes[0]["endpoint"] == "talk"


@doors
@both_kinds
async def test_the_root_path_is_taken_off_before_looking(door: Door, mixed: bool) -> None:
    """Servers hand over the whole path, what a proxy or a mount has taken included."""
    handler = Seen()
    app = door(table(handler, mixed=mixed), Router())

    await app(http("/root/items/3", root_path="/root"), receive, Answer().send)

    assert handler.scopes[0]["path_params"] == {"number": 3}


@doors
async def test_an_opaque_route_says_itself_what_it_adds_to_the_scope(door: Door) -> None:
    """Mounts change the root path, hosts add parameters."""
    handler = Seen()
    app = door(table(handler, mixed=True), Router())

    await app(http("/opaque/x"), receive, Answer().send)

    assert (handler.scopes[0]["endpoint"], handler.scopes[0]["path_params"]) == ("mine", {"rest": "x"})
    assert "route" not in handler.scopes[0]


@doors
async def test_an_opaque_route_answers_a_wrong_method_by_itself(door: Door) -> None:
    """Nobody else knows which methods it allows."""
    handler = Seen()
    app = door(table(handler, mixed=True), Router())

    await app(http("/opaque/x", "POST"), receive, Answer().send)

    assert handler.scopes[0]["method"] == "POST"


@doors
@both_kinds
async def test_a_wrong_method_is_a_405_that_names_the_right_ones(door: Door, mixed: bool) -> None:
    """An exception inside an application, so that its handlers answer; plain text elsewhere."""
    app = door(table(Seen(), mixed=mixed), Router())

    answer = Answer()
    await app(http("/items/3", "POST"), receive, answer.send)
    assert (answer.status, answer.headers[b"allow"]) == (405, b"GET")

    with pytest.raises(HTTPException) as caught:
        await app(http("/items/3", "POST", app=object()), receive, answer.send)
    assert (caught.value.status_code, caught.value.headers) == (405, {"Allow": "GET"})


@doors
@both_kinds
async def test_a_path_with_a_slash_too_many_is_redirected(door: Door, mixed: bool) -> None:
    """With the query, below the root path, unless it was switched off."""
    answer = Answer()
    await door(table(Seen(), mixed=mixed), Router())(
        http("/root/items/3/", root_path="/root", query_string=b"q=1"), receive, answer.send
    )
    assert (answer.status, answer.headers[b"location"]) == (307, b"http://test/root/items/3?q=1")

    router = Router()
    await door(table(Seen(), mixed=mixed, redirect_slashes=False), router)(http("/items/3/"), receive, Answer().send)
    assert len(router.default.scopes) == 1


@doors
@both_kinds
async def test_what_no_route_serves_goes_to_the_default(door: Door, mixed: bool) -> None:
    """Both protocols."""
    router = Router()
    app = door(table(Seen(), mixed=mixed), router)

    await app(http("/nothing"), receive, Answer().send)
    await app({"type": "websocket", "path": "/nothing", "headers": [], "root_path": ""}, receive, Answer().send)

    assert [scope["type"] for scope in router.default.scopes] == ["http", "websocket"]


async def test_a_handler_may_be_replaced_while_the_application_runs() -> None:
    """A route starts with a handler that compiles and then steps aside."""
    old, new = Seen(), Seen()
    target = Target("route", "endpoint", old)
    entries = [Entry(rank=0, pattern=read_pattern("/x"), value=target, methods=frozenset({"GET"}))]
    app = door_of_an_app(Table(entries), Router())
    await app(http("/x"), receive, Answer().send)

    target.handler = new
    await app(http("/x"), receive, Answer().send)

    assert (len(old.scopes), len(new.scopes)) == (1, 1)


@both_kinds
async def test_a_chooser_hands_lifespans_to_the_router(mixed: bool) -> None:
    """They have no path."""
    router = Router()

    await door_of_an_app(table(Seen(), mixed=mixed), router)({"type": "lifespan"}, receive, Answer().send)

    assert router.lifespans.scopes == [{"type": "lifespan"}]


@both_kinds
async def test_a_chooser_leaves_handlers_and_the_outermost_router_in_the_scope(mixed: bool) -> None:
    """Foreign routes look for the handlers, `url_for` for the router; a mounted application is not the outermost."""
    handler, router = Seen(), Router()
    app = door_of_an_app(table(handler, mixed=mixed), router)

    await app(http("/items/3"), receive, Answer().send)
    await app(http("/items/3", router="outer"), receive, Answer().send)

    assert [scope["router"] for scope in handler.scopes] == [router, "outer"]
    assert all(scope[HANDLERS] is HANDLERS_OF_THE_APP for scope in handler.scopes)
