"""The way into an application: opened after a change, decided at the first request, taken as one."""

import asyncio
from typing import Any

from slipstream import FastAPI
from slipstream._app.entrance import Door, door_of
from slipstream.testclient import TestClient


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/x")
    def answer() -> str:
        return "answer"

    return app


def test_the_door_stays_open_until_something_changes() -> None:
    """Between changes, a request pays for one comparison."""
    app = shop()
    client = TestClient(app)
    client.get("/x")
    door = app._entrance.value

    client.get("/x")
    assert app._entrance.value is door
    app.get("/y")(lambda: "y")
    client.get("/x")

    assert app._entrance.value is not door


def test_start_up_decides_nothing() -> None:
    """It may set the providers of telemetry: only a request closes the question whether anybody listens."""
    app = shop()
    with TestClient(app) as client:
        assert app._entrance.seen == -1
        client.get("/x")
        assert app._entrance.seen != -1


def test_a_request_is_answered_by_the_door_that_it_came_through() -> None:
    """A change while it is served must not give its exception to another one's handlers."""
    app, answered = shop(), []
    TestClient(app).get("/x")

    async def fail(exc: Exception, *connection: Any) -> None:
        answered.append(repr(exc))

    async def serve(*connection: Any) -> None:
        app.get("/late")(lambda: "late")
        raise ValueError("in between")

    door = door_of(serve)
    app._entrance.value = Door(door.choose, door.choose_direct, fail)

    asyncio.run(app({"type": "http"}, None, None))  # type: ignore[arg-type]  # nobody reads or sends

    assert answered == ["ValueError('in between')"]
