"""The way without asyncio's private names."""

import asyncio
from typing import Any

import pytest

from slipstream import FastAPI
from slipstream._foreign.asyncio import RecordingFuture
from slipstream.middleware import http
from slipstream.testclient import TestClient

from .reloading import imported_again


@pytest.mark.parametrize("name", ["_enter_task", "_leave_task"])
@pytest.mark.parametrize("instead", [None, lambda loop: None], ids=["gone", "another shape"])
def test_no_fiber_runs_where_a_task_cannot_announce_itself(
    name: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both or neither: a task that entered must be able to leave."""
    monkeypatch.setattr(asyncio.tasks, name, instead)

    found = imported_again("asyncio")

    assert (found.enter_task, found.leave_task) == (None, None)


def test_middleware_goes_by_starlette_where_no_fiber_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program serves as before, only slower."""
    monkeypatch.setattr(http, "_CAN_STEP", False)
    monkeypatch.setattr(http, "Fiber", None)
    app = FastAPI()

    @app.middleware("http")
    async def mark(request: Any, call_next: Any) -> Any:
        body = await request.body()
        response = await call_next(request)
        response.headers["x-read"] = body.decode()
        return response

    @app.post("/")
    async def echo(item: dict[str, int]) -> dict[str, int]:
        return item

    with TestClient(app) as client:
        reply = client.post("/", json={"n": 1})

    assert (reply.json(), reply.headers["x-read"]) == ({"n": 1}, '{"n":1}')


class Renamed(RecordingFuture):
    """A future of a release that keeps its callbacks by another name, or not as pairs."""

    _callbacks = None


def test_a_future_that_keeps_its_callbacks_elsewhere_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours needs no private name; `tests/sockets/test_mailbox.py` runs with it too."""
    monkeypatch.setattr(asyncio, "Future", Renamed)

    found = imported_again("asyncio")

    assert issubclass(found.WaitedFuture, Renamed)
