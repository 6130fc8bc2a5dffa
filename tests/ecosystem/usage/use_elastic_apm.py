"""Transactions of requests: their names, results and errors."""

import pytest
from elasticapm.contrib.starlette import ElasticAPM, make_apm_client
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient


@pytest.fixture
def sent(monkeypatch):
    events = []
    client = make_apm_client(
        {"SERVICE_NAME": "s", "TRANSPORT_CLASS": "elasticapm.transport.base.Transport", "CENTRAL_CONFIG": False,
         "DISABLE_SEND": True, "CLOUD_PROVIDER": False, "METRICS_INTERVAL": "0ms"}
    )  # fmt: skip

    def queue(kind, data, flush=False):
        events.append((kind, data() if callable(data) else data))

    monkeypatch.setattr(client, "queue", queue)
    monkeypatch.setattr(client.tracer, "queue_func", queue)
    yield client, events
    client.close()


def test_transactions(sent):
    client, events = sent
    app = FastAPI()
    app.add_middleware(ElasticAPM, client=client)
    router = APIRouter()

    @router.get("/items/{x}")
    def item(x: int, y: int = Depends(lambda: 1)):
        return x

    @app.get("/gone")
    async def gone():
        raise HTTPException(410)

    @app.get("/broken")
    async def broken():
        raise ValueError("broken")

    app.include_router(router, prefix="/shop")
    http = TestClient(app, raise_server_exceptions=False)
    codes = [http.get(path).status_code for path in ("/shop/items/1", "/shop/items/x", "/gone", "/broken", "/nowhere")]
    assert codes == [200, 422, 410, 500, 404]
    found = [(data["name"], data["result"]) for kind, data in events if kind == "transaction"]
    assert found[:4] == [
        ("GET /shop/items/{x}", "HTTP 2xx"), ("GET /shop/items/{x}", "HTTP 4xx"), ("GET /gone", "HTTP 4xx"),
        ("GET /broken", "HTTP 5xx"),
    ]  # fmt: skip
    errors = [data["exception"]["type"] for kind, data in events if kind == "error"]
    assert "ValueError" in errors
