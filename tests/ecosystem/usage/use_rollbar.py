"""Reports of what a route raised, by a route class."""

import rollbar
from fastapi import FastAPI
from fastapi.testclient import TestClient
from rollbar.contrib.fastapi import add_to
from rollbar.contrib.starlette import get_current_request


def test_reports(monkeypatch):
    sent = []
    rollbar.init("token", "test", handler="default")
    monkeypatch.setattr(rollbar, "send_payload", lambda payload, token=None: sent.append(payload))
    app = FastAPI()
    add_to(app)

    @app.post("/broken/{x}")
    def broken(x: int, a: dict):
        assert get_current_request().url.path == f"/broken/{x}"
        raise ValueError("broken")

    @app.get("/fine")
    async def fine():
        return 1

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/fine").json() == 1
    assert client.post("/broken/1", json={"b": 2}).status_code == 500
    assert client.post("/broken/x", json={"b": 2}).status_code == 422
    assert "ValueError" in str(sent)
