"""The last part of the registration trip: from a plan to the function that serves it."""

import linecache
import traceback
from typing import Any

import pytest
from starlette.requests import Request

from slipstream import Depends, WebSocket
from slipstream._engine.compile import compile_plan
from slipstream._routes.services import SERVICES
from slipstream.routing import APIRoute, APIWebSocketRoute


def dependency(q: int = 1) -> int:
    return q


def endpoint(number: int, value: int = Depends(dependency)) -> int:
    return number // value


async def talk(websocket: WebSocket, number: int) -> None:
    await websocket.accept()


def plan(path: str = "/compiled/{number}") -> Any:
    return APIRoute(path, endpoint).plan


def test_a_plan_becomes_a_handler_that_knows_its_source_and_its_plan() -> None:
    """What serves can always be read: `explain`, tracebacks and tests rely on it."""
    made = plan()

    compiled = compile_plan(made, SERVICES)

    assert compiled.plan is made
    assert compiled.dialect == "asgi"
    assert compiled.source.filename == "<slipstream GET /compiled/{number}>"
    assert compiled.handler.__code__.co_filename == compiled.source.filename
    assert "".join(linecache.getlines(compiled.source.filename)) == compiled.source.text


def test_the_same_plan_gives_the_same_text() -> None:
    """Profiles of two processes add up, and golden files hold."""
    assert compile_plan(plan(), SERVICES).source.text == compile_plan(plan(), SERVICES).source.text


@pytest.mark.parametrize(("dialect", "arguments"), [("asgi", ("scope", "receive", "send")), ("request", ("request",))])
def test_the_dialect_says_what_the_handler_is_called_with(dialect: Any, arguments: tuple[str, ...]) -> None:
    """ASGI's three arguments, or the Request that a custom class of routes hands over."""
    code = compile_plan(plan(), SERVICES, dialect).handler.__code__

    assert code.co_varnames[: code.co_argcount] == arguments


def test_a_web_socket_has_one_dialect() -> None:
    """There is no Request to wrap."""
    made = APIWebSocketRoute("/compiled/{number}", talk).plan

    assert compile_plan(made, SERVICES, "request").source.text == compile_plan(made, SERVICES).source.text
    assert compile_plan(made, SERVICES).source.filename == "<slipstream WS /compiled/{number}>"


@pytest.mark.anyio
async def test_tracebacks_show_the_generated_line() -> None:
    """Whoever reads one sees what the framework did with the request, not a line number in nowhere."""
    handler = compile_plan(APIRoute("/zero", lambda: 1 // 0).plan, SERVICES, "request").handler
    scope = {"type": "http", "method": "GET", "path": "/zero", "query_string": b"", "headers": []}

    with pytest.raises(ZeroDivisionError) as caught:
        await handler(Request(scope))

    shown = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename.startswith("<slip")]
    assert shown
    assert all(frame.line for frame in shown)
