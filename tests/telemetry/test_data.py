"""What processors may look at while a request is served."""

from typing import Any

import pytest
from opentelemetry import context
from pydantic import BaseModel

from slipstream import APIRouter, BackgroundTasks, Body, Depends, FastAPI, Request
from slipstream.routing import APIRoute
from slipstream.telemetry import TelemetryData, get_telemetry_data
from slipstream.testclient import TestClient

from .conftest import Heard


class Item(BaseModel):
    name: str


def test_nothing_is_known_outside_of_requests() -> None:
    """Processors hear of spans that are nobody's request, too."""
    assert get_telemetry_data() is None
    assert get_telemetry_data(context.Context()) is None


def test_data_grows_with_the_request_and_is_gone_after_it(heard: Heard) -> None:
    """Request, body, arguments; a context that was kept shows nothing of a request that is over."""
    app = FastAPI(telemetry=heard.config())
    contexts: list[Any] = []

    def service(request: Request) -> str:
        data = get_telemetry_data()
        assert data == TelemetryData(request=request, body={"name": "pen"})
        return "service"

    @app.put("/items/{item_id}")
    async def update(item_id: int, item: Item, tasks: BackgroundTasks, service: str = Depends(service)) -> None:
        data = get_telemetry_data()
        assert data is not None
        assert data.values == {"item_id": item_id, "item": item, "tasks": tasks, "service": "service"}
        assert data.errors == []
        contexts.append(context.get_current())
        tasks.add_task(lambda: contexts.append(get_telemetry_data()))

    response = TestClient(app).put("/items/3", json={"name": "pen"})

    assert response.status_code == 200
    assert contexts[1] is not None
    assert get_telemetry_data(contexts[0]) is None


@pytest.mark.parametrize(
    ("sent", "body", "values"),
    [
        ({"json": {"item": {"name": 3}, "size": 2}}, {"item": {"name": 3}, "size": 2}, {"size": 2, "user": "me"}),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "{", None),
        ({"content": b"raw", "headers": {"content-type": "text/plain"}}, b"raw", {"size": 1, "user": "me"}),
        ({}, None, {"size": 1, "user": "me"}),
    ],
)
def test_of_a_refused_request_body_errors_and_what_was_right_are_known(
    heard: Heard, sent: dict[str, Any], body: Any, values: Any
) -> None:
    """For a processor that may record them, redacted, where the record itself must not."""
    app = FastAPI(telemetry=heard.config())
    seen: list[Any] = []

    @app.middleware("http")
    async def look(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        data = get_telemetry_data()
        assert data is not None
        seen.append((data.body, data.values, len(data.errors or [])))
        return response

    @app.post("/items")
    async def create(item: Item, size: int = Body(1), user: str = Depends(lambda: "me")) -> None: ...

    TestClient(app).post("/items", **sent)

    assert seen == [(body, values, 1)]


def test_a_custom_route_class_is_observed_too(heard: Heard) -> None:
    """Its handlers are a third text of the plan."""
    app = FastAPI(telemetry=heard.config())

    class Route(APIRoute):
        def get_route_handler(self) -> Any:
            inner = super().get_route_handler()

            async def handler(request: Request) -> Any:
                response = await inner(request)
                data = get_telemetry_data()
                assert data is not None
                assert data.request is request
                assert data.values == {"item_id": 3}
                return response

            return handler

    router = APIRouter(route_class=Route)

    @router.get("/items/{item_id}")
    async def read(item_id: int) -> int:
        return item_id

    app.include_router(router)

    assert TestClient(app).get("/items/3").json() == 3
    assert heard.names[-1] == "GET /items/{item_id}"
    assert "fastapi.serialization" in heard.names
