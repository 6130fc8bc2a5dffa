"""The layers around the routes answer exceptions as Starlette's two middlewares do, with middleware and without."""

from typing import Any

import pytest
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from slipstream import APIRouter
from slipstream._app.stack import InnerGuard, OuterGuard, Registered, SoleGuard, build_stack
from tests.engine.entry.support import CASES, HANDLED, START, App, ShopClosed, http_scope, raising, run, told


class Passing:
    """A middleware that changes nothing."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(params=["alone", "with middleware"])
def layers(request: pytest.FixtureRequest) -> list[Middleware]:
    """What the user has put around the application: the stack is another one where that is nothing."""
    return [] if request.param == "alone" else [Middleware(Passing)]


def stack_around(app: App, layers: list[Middleware], handlers: dict[Any, Any], *, debug: bool = False) -> App:
    return build_stack(APIRouter(routes=[Mount("", app=app)]), layers, handlers, debug=debug)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("crash_handler", [None, told("crash")])
def test_exceptions_are_answered_as_starlette_does(case: str, crash_handler: Any, layers: list[Middleware]) -> None:
    """One app, both stacks: equal messages, equal exceptions."""
    handlers = HANDLED if crash_handler is None else {**HANDLED, Exception: crash_handler}
    ours = stack_around(CASES[case], layers, handlers)
    theirs = ServerErrorMiddleware(ExceptionMiddleware(CASES[case], handlers=HANDLED), handler=crash_handler)

    sent, exc = run(ours)
    expected, expected_exc = run(theirs)

    assert sent == expected
    assert repr(exc) == repr(expected_exc)


def test_an_exception_object_raised_for_ever_does_not_grow(layers: list[Middleware]) -> None:
    """Its traceback is dropped when it has been answered."""
    exc = ShopClosed("one object for all requests")

    run(stack_around(raising(exc), layers, {ShopClosed: told("closed")}))

    assert exc.__traceback__ is None


def test_a_crash_says_nothing_of_its_cause(layers: list[Middleware]) -> None:
    """The text of an exception may hold secrets; the server's log is the place for it."""
    sent, exc = run(stack_around(raising(ZeroDivisionError("secret of the house")), layers, {}))

    assert sent[0]["status"] == 500
    assert sent[1]["body"] == b"Internal Server Error"
    assert isinstance(exc, ZeroDivisionError)


@pytest.mark.parametrize("accept", [b"text/html", b"*/*"])
def test_debug_shows_the_traceback(accept: bytes, layers: list[Middleware]) -> None:
    """As a page for browsers and as text for others."""
    scope = http_scope(headers=[(b"accept", accept)])

    sent, exc = run(stack_around(raising(ZeroDivisionError("in the cellar")), layers, {}, debug=True), scope)

    assert sent[0]["status"] == 500
    assert b"in the cellar" in sent[1]["body"]
    assert (b"<html>" in sent[1]["body"]) == (accept == b"text/html")
    assert isinstance(exc, ZeroDivisionError)


def test_a_crash_handler_may_log_though_it_is_late(layers: list[Middleware]) -> None:
    """It is called after the start of a response as well; its answer is then dropped."""
    seen: list[Exception] = []

    async def handler(request: Request, exc: Exception) -> PlainTextResponse:
        seen.append(exc)
        return PlainTextResponse("sorry", status_code=500)

    sent, _ = run(stack_around(raising(ShopClosed("x"), START), layers, {Exception: handler}))

    assert sent == [START]
    assert [str(exc) for exc in seen] == ["x"]


@pytest.mark.parametrize("layer", [OuterGuard, InnerGuard])
@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_other_scopes_pass(layer: Any, kind: str) -> None:
    """No response can be made for them; the exception goes to the server."""
    guarded = layer(raising(ShopClosed("x")), Registered({}, debug=False))

    sent, exc = run(guarded, {"type": kind, "path": "/", "headers": []})

    assert sent == []
    assert repr(exc) == repr(ShopClosed("x"))


def test_the_stack_without_middleware_is_one_layer() -> None:
    """Its other scopes pass as well: a lifespan goes to the router, a WebSocket to its route."""
    alone = stack_around(raising(ShopClosed("x")), [], {})

    sent, exc = run(alone, {"type": "websocket", "path": "/", "headers": []})

    assert isinstance(alone, SoleGuard)
    assert sent == []
    assert repr(exc) == repr(ShopClosed("x"))
