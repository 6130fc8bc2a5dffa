"""Spans of requests, by a middleware and by a replaced background task."""

from fastapi import BackgroundTasks, FastAPI
from fastapi.testclient import TestClient
from scout_apm.api import Config
from scout_apm.async_.starlette import ScoutMiddleware
from scout_apm.core.tracked_request import TrackedRequest


def test_requests_and_tasks(monkeypatch):
    seen = []
    original = TrackedRequest.finish

    def finish(self):
        if self.is_real_request or self.complete_spans:
            seen.extend(span.operation for span in self.complete_spans)
        original(self)

    monkeypatch.setattr(TrackedRequest, "finish", finish)
    Config.set(monitor=True, core_agent_launch=False, core_agent_download=False, shutdown_message_enabled=False)
    app = FastAPI()
    app.add_middleware(ScoutMiddleware)
    done = []

    def task():
        done.append(1)

    @app.get("/items/{x}")
    async def item(x: int, tasks: BackgroundTasks):
        tasks.add_task(task)
        return x

    client = TestClient(app)
    assert client.get("/items/1").json() == 1
    assert done == [1]
    assert any(operation.startswith("Controller/") and operation.endswith("item") for operation in seen), seen
    assert any(operation.startswith("Job/") for operation in seen), seen
