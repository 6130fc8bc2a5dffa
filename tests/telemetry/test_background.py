"""Background tasks of observed requests."""

from functools import partial
from typing import Any

import anyio
import pytest
from opentelemetry.trace import StatusCode

from slipstream import BackgroundTasks, FastAPI, HTTPException
from slipstream.background import run_task
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
def test_a_task_that_fails_is_told_once(heard: Heard, failure: Exception, operation_spans: bool) -> None:
    """The server hears of it too; the request's span has ended by then, and is no failure."""
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

    assert TestClient(app, raise_server_exceptions=False).get("/").status_code == 200

    assert done == []
    (record,) = heard.records
    told = record.log_record.exception
    assert told is not None
    assert failure in (told, told.__cause__)
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


def test_one_observed_application_leaves_the_tasks_of_others_alone(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two applications of a process share the class: what a program put into it stays, and each tells of its own."""
    ran: list[tuple[str, bool]] = []
    real = BackgroundTasks.__call__

    async def patched(self: BackgroundTasks) -> None:
        ran.append(("patched", run_task.get() is not None))
        await real(self)

    monkeypatch.setattr(BackgroundTasks, "__call__", patched)

    def application(**options: Any) -> FastAPI:
        app = FastAPI(**options)

        @app.get("/")
        async def endpoint(tasks: BackgroundTasks) -> None:
            tasks.add_task(lambda: ran.append(("task", run_task.get() is not None)))

        return app

    observed, silent = application(telemetry=heard.config()), application()
    for app in (observed, silent, observed):
        TestClient(app).get("/")

    assert BackgroundTasks.__call__ is patched
    assert [is_watched for _, is_watched in ran] == [True, True, False, False, True, True]
    assert heard.names.count("fastapi.background_task") == 2


def test_requests_that_are_under_way_at_once_keep_their_tasks_apart(heard: Heard) -> None:
    """They share a loop, and an observed one may wait while another runs its tasks."""
    entered, go_on = anyio.Event(), anyio.Event()
    observed, silent = FastAPI(telemetry=heard.config()), FastAPI()

    async def wait() -> None:
        entered.set()
        await go_on.wait()

    @observed.get("/")
    async def slow(tasks: BackgroundTasks) -> None:
        tasks.add_task(wait)
        tasks.add_task(print, end="")

    @silent.get("/")
    async def quick(tasks: BackgroundTasks) -> None:
        tasks.add_task(print, end="")

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, observed)
            await entered.wait()
            await ask(silent)
            assert heard.names.count("fastapi.background_task") == 0
            go_on.set()

    anyio.run(both)

    assert heard.names.count("fastapi.background_task") == 2


async def ask(app: Any) -> None:
    """Send a GET to the root, and wait until everything is done."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "query_string": b"", "headers": []}
    await app({**scope, "scheme": "http", "http_version": "1.1"}, receive, send)
