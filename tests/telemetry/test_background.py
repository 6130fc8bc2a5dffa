"""Background tasks of observed requests."""

from functools import partial
from typing import Any

import anyio
import pytest
from opentelemetry.trace import StatusCode

from slipstream import BackgroundTasks, FastAPI, HTTPException
from slipstream.responses import JSONResponse
from slipstream.testclient import TestClient

from .conftest import Heard


def test_each_task_is_a_span_of_its_own_after_the_request(heard: Heard) -> None:
    """A slow task is seen, and does not make the request look slow."""
    app = FastAPI(telemetry=heard.config())

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(print, end="")
        tasks.add_task(partial(print, end=""))

    TestClient(app).get("/")

    request, first, second = heard.spans[-3:]
    assert (request.name, first.name, second.name) == ("GET /", "fastapi.background_task", "fastapi.background_task")
    assert first.parent is not None
    assert first.parent.span_id == request.context.span_id
    assert [span.attributes for span in (first, second)] == [
        {"code.function.name": "builtins.print"},
        {"code.function.name": "functools.partial"},
    ]


@pytest.mark.parametrize("failure", [ValueError("lost"), HTTPException(503)])
@pytest.mark.parametrize("operation_spans", [True, False])
def test_a_task_that_fails_is_told_and_the_others_run(heard: Heard, failure: Exception, operation_spans: bool) -> None:
    """Nobody waits for a task; its log record is all there is."""
    app = FastAPI(telemetry=heard.config(operation_spans=operation_spans))
    done = []

    async def fail() -> None:
        raise failure

    @app.get("/")
    async def endpoint() -> JSONResponse:
        tasks = BackgroundTasks()
        tasks.add_task(fail)
        tasks.add_task(done.append, "second")
        return JSONResponse({}, background=tasks)

    assert TestClient(app).get("/").status_code == 200

    assert done == ["second"]
    (record,) = heard.records
    assert record.log_record.exception is failure
    failed = [span.name for span in heard.spans if span.status.status_code == StatusCode.ERROR]
    assert failed == (["fastapi.background_task"] if operation_spans else [])


def test_tasks_run_where_no_request_is(heard: Heard) -> None:
    """A program may run a collection of tasks by itself, while others are observed."""
    app = FastAPI(telemetry=heard.config())
    TestClient(app).get("/")
    before, done = len(heard.spans), list[Any]()
    tasks = BackgroundTasks()
    tasks.add_task(done.append, "done")

    anyio.run(tasks)

    assert done == ["done"]
    assert len(heard.spans) == before
