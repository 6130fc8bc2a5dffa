"""Routes of a runnable, in the application and in a router."""

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from langchain_core.runnables import RunnableLambda
from langserve import add_routes


def client():
    app, router = FastAPI(), APIRouter(prefix="/v1")
    add_routes(app, RunnableLambda(lambda number: number + 1).with_types(input_type=int), path="/plus")
    add_routes(router, RunnableLambda(lambda number: number * 2).with_types(input_type=int), path="/twice")
    app.include_router(router)
    return TestClient(app)


def test_invoke_batch_and_stream():
    server = client()
    assert server.post("/plus/invoke", json={"input": 1}).json()["output"] == 2
    assert server.post("/v1/twice/invoke", json={"input": 4}).json()["output"] == 8
    assert server.post("/plus/batch", json={"inputs": [1, 2]}).json()["output"] == [2, 3]
    assert "event: end" in server.post("/plus/stream", json={"input": 1}).text


def test_schemas_and_document():
    server = client()
    assert server.get("/plus/input_schema").json()["type"] == "integer"
    assert "/v1/twice/invoke" in server.get("/openapi.json").json()["paths"]
    assert server.post("/plus/invoke", json={"input": "none"}).status_code == 422
