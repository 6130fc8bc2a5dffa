"""From the routes of a router to its table: what goes in by its pattern, what is asked, what serves."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Mount, Route, WebSocketRoute

from slipstream import APIRouter, FastAPI
from slipstream._app.dispatch import Dispatcher
from slipstream.testclient import TestClient


async def path_of(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{type(request.scope.get('route')).__name__} {request.path_params}")


def answer() -> str:
    return "answer"


def test_routes_with_patterns_are_found_without_asking_each() -> None:
    """Starlette's own go in by their pattern too; only what matches in a way of its own makes a table mixed."""
    router = APIRouter(routes=[Route("/foreign", path_of), WebSocketRoute("/socket", path_of)])
    router.get("/own")(answer)
    assert not router.dispatcher.table().is_mixed

    router.mount("/mount", FastAPI())

    assert router.dispatcher.table().is_mixed


def test_a_table_is_kept_until_something_changes() -> None:
    """A request pays for one comparison."""
    router = APIRouter()
    dispatcher = Dispatcher(router)
    table, choose = dispatcher.table(), dispatcher.choose()
    assert (dispatcher.table(), dispatcher.choose()) == (table, choose)

    router.get("/x")(answer)

    assert dispatcher.table() is not table
    assert dispatcher.choose() is not choose


class HandlesItself(Route):
    """A class of Starlette routes that handles requests in a way of its own."""

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("by itself")(scope, receive, send)


class MatchesItself(Route):
    """A class of Starlette routes that matches in a way of its own."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        wanted = scope["path"].endswith(".txt")
        return (Match.FULL, {"path_params": {"suffix": "txt"}}) if wanted else (Match.NONE, {})


class Anywhere(Mount):
    """A mount that is not where its path says."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        return (Match.FULL, {}) if "anywhere" in scope["path"] else (Match.NONE, {})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/plain/1", "Route {'x': '1'}"),
        ("/handles", "by itself"),
        ("/whatever.txt", "NoneType {'suffix': 'txt'}"),
        ("/over/anywhere", "NoneType {}"),
        ("/own", '"answer"'),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_subclasses_of_starlettes_routes_keep_their_ways(path: str, text: str, reverse: bool) -> None:
    """Whether they come before the routes with patterns or after them."""
    foreign = [
        Route("/plain/{x}", path_of), HandlesItself("/handles", path_of), MatchesItself("/never", path_of),
        Anywhere("/elsewhere", app=path_of_app),
    ]  # fmt: skip
    app = FastAPI(openapi_url=None)
    app.get("/own")(answer)
    app.router.routes[:] = [*foreign, *app.router.routes] if reverse else [*app.router.routes, *foreign]

    assert TestClient(app).get(path).text == text


async def path_of_app(scope: Any, receive: Any, send: Any) -> None:
    await (await path_of(Request(scope)))(scope, receive, send)


def test_a_handle_given_to_one_route_serves_that_one() -> None:
    """Instrumentation that wraps `route.handle` on instances."""
    app = FastAPI()
    app.get("/x")(answer)
    route: Any = app.routes[-1]
    seen = []
    handle = route.handle

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await handle(scope, receive, send)

    route.handle = noting

    assert TestClient(app).get("/x").json() == "answer"
    assert seen == ["/x"]


def test_switches_of_a_router_take_effect_with_the_next_change() -> None:
    """`redirect_slashes` and `default` are read whenever a table is made."""
    app = FastAPI()
    app.get("/x")(answer)
    client = TestClient(app, follow_redirects=False)
    assert client.get("/x/").status_code == 307

    app.router.redirect_slashes = False
    app.get("/y")(answer)

    assert client.get("/x/").status_code == 404
