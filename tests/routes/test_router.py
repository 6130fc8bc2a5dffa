"""A router without a word of FastAPI's: it serves the routes that it has now, and names them."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import NoMatchFound, Route

from slipstream._options.levels import RouterOptions
from slipstream._options.unpack import completed
from slipstream._routes.router import TableRouter
from slipstream.testclient import TestClient


def given(**options: Any) -> RouterOptions:
    return completed(RouterOptions, options, "TableRouter")


async def path_of(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request.path_params))


def test_starlettes_routes_are_served_by_it_alone() -> None:
    """What makes a router fast does not hang on path operations."""
    client = TestClient(TableRouter(given(routes=[Route("/x/{number:int}", path_of)])))

    assert client.get("/x/1").text == "{'number': 1}"
    assert client.get("/x/one").status_code == 404


@pytest.mark.parametrize("change", ["added", "put in their place"])
def test_a_change_of_the_routes_is_served_at_once(change: str) -> None:
    """Whether the list is changed or another one comes."""
    router = TableRouter(given(routes=[Route("/x", path_of)]))
    client = TestClient(router)
    assert client.get("/y").status_code == 404

    if change == "added":
        router.routes.append(Route("/y", path_of))
    else:
        router.routes = [Route("/y", path_of)]

    assert client.get("/y").text == "{}"


def test_what_no_route_serves_can_be_given_away() -> None:
    """An app that is put in place later serves from the next request on."""
    router = TableRouter(given())
    client = TestClient(router)
    assert client.get("/x").status_code == 404

    router.default = PlainTextResponse("mine")

    assert client.get("/x").text == "mine"


def test_events_are_its_lifespan_if_no_other_is_given() -> None:
    """As Starlette had it before 1.0."""
    seen: list[str] = []
    options: Any = {"on_startup": [lambda: seen.append("up")], "on_shutdown": [lambda: seen.append("down")]}

    with TestClient(TableRouter(given(**options))):
        assert seen == ["up"]

    assert seen == ["up", "down"]


def test_a_path_is_built_from_a_name() -> None:
    """The first route of the name that takes just these parameters."""
    router = TableRouter(given(routes=[Route("/x", path_of, name="a"), Route("/x/{b}", path_of, name="a")]))

    assert router.url_path_for("a", b="1") == "/x/1"
    with pytest.raises(NoMatchFound):
        router.url_path_for("a", c="1")
