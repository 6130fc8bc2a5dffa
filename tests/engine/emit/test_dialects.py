"""What differs by how a handler is called, and what the layer that observes adds to each."""

from typing import Any, get_args

import pytest

from slipstream import FastAPI
from slipstream._engine.compile import OBSERVED, compile_plan
from slipstream._engine.types import Dialect
from slipstream._routes.services import SERVICES
from slipstream.handlers import EventHandler

PARAMETERS = {
    "asgi": ("scope", "receive", "send"),
    "direct": ("scope", "receive", "send", "raw", "reply"),
    "request": ("request",),
    "websocket": ("scope", "receive", "send"),
    "event": ("connection", "event", "scope_of"),
}


async def endpoint(connection: str, event: int = 1) -> int:
    return event


def plan_for(dialect: str) -> Any:
    """Plan something that a dialect can say, with parameters that are called as its own are."""
    if dialect == "event":
        return EventHandler(endpoint_of_events, "EVENT test", lambda: None).compiled.plan
    app = FastAPI(openapi_url=None)
    (app.websocket("/{number}") if dialect == "websocket" else app.get("/{number}"))(endpoint)
    return app.routes[-1].plan  # type: ignore[attr-defined]


async def endpoint_of_events(event: int) -> int:
    return event


def test_there_is_no_dialect_that_is_not_known_here() -> None:
    """The next one gets its line."""
    assert set(PARAMETERS) == set(get_args(Dialect))


@pytest.mark.parametrize("dialect", PARAMETERS)
def test_a_handler_is_called_with_what_its_dialect_says(dialect: Any) -> None:
    """Its own parameters keep their names, whatever the user's are called."""
    compiled = compile_plan(plan_for(dialect), SERVICES, dialect)
    code = compiled.handler.__code__

    assert code.co_varnames[: code.co_argcount] == PARAMETERS[dialect]
    assert compiled.filename.endswith(f", {dialect}>")


@pytest.mark.parametrize("dialect", ["asgi", "direct", "request", "websocket"])
def test_the_layer_that_observes_goes_over_every_dialect_that_serves_requests(dialect: Any) -> None:
    """It adds lines, and changes neither how the handler is called nor how it answers."""
    plan = plan_for(dialect)
    plain, observed = compile_plan(plan, SERVICES, dialect), compile_plan(plan, SERVICES, dialect, OBSERVED)

    said = [line.strip() for line in observed.source.text.splitlines()]
    assert [line for line in said if "observed.enter(" in line or "observed.solved(" in line]
    assert said[0] == plain.source.text.splitlines()[0]
    assert said[-1] == plain.source.text.splitlines()[-1].strip().replace("body=raw", "connection=request")
    assert observed.filename.endswith(f", {dialect}, observed>")
