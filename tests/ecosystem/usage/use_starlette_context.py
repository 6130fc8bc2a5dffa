"""Values of a request that functions find without it, and plugins that read headers."""

from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.testclient import TestClient
from starlette_context import context, plugins
from starlette_context.middleware import RawContextMiddleware


def test_context_in_dependencies_threads_and_tasks():
    app = FastAPI()
    app.add_middleware(RawContextMiddleware, plugins=(plugins.RequestIdPlugin(), plugins.CorrelationIdPlugin()))
    later = []

    def dependency():
        context["seen"] = context["X-Request-ID"]
        yield
        later.append(context.get("seen"))

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, _=Depends(dependency)):
        tasks.add_task(lambda: later.append(context["seen"]))
        return context.data["seen"]

    name = "a" * 32
    answer = TestClient(app).get("/", headers={"X-Request-ID": name})
    assert answer.json() == name == answer.headers["x-request-id"]
    assert sorted(later) == [name, name]
    assert TestClient(app).get("/", headers={"X-Request-ID": "bad"}).status_code == 400
