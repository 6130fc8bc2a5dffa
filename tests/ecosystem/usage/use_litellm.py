"""The proxy: an application of some hundred routes, with a key that every route asks for, and models of its own."""

import os

os.environ["LITELLM_MASTER_KEY"] = "sk-1234"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import pytest
from fastapi.testclient import TestClient
from litellm.proxy import proxy_server

KEY = {"Authorization": "Bearer sk-1234"}


@pytest.fixture
def client(monkeypatch):
    from litellm import Router

    model = {"model": "openai/fake", "mock_response": "hello", "api_key": "none"}
    monkeypatch.setattr(proxy_server, "master_key", "sk-1234")
    router = Router(model_list=[{"model_name": "fake", "litellm_params": model}])
    monkeypatch.setattr(proxy_server, "llm_router", router)
    return TestClient(proxy_server.app)


def test_health_is_for_everybody(client):
    assert client.get("/health/liveliness").status_code == 200
    assert client.get("/routes", headers=KEY).status_code == 200


def test_models_are_for_those_who_have_the_key(client):
    assert client.get("/v1/models").status_code == 401
    answer = client.get("/v1/models", headers=KEY)
    assert answer.status_code == 200
    assert [model["id"] for model in answer.json()["data"]] == ["fake"]


def test_completion_and_its_stream(client):
    asked = {"model": "fake", "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/chat/completions", headers=KEY, json=asked)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "hello"
    with client.stream("POST", "/v1/chat/completions", headers=KEY, json={**asked, "stream": True}) as stream:
        lines = [line for line in stream.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert client.post("/v1/chat/completions", headers=KEY, json={**asked, "model": "other"}).status_code == 400


def test_document_has_the_same_routes(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) > 100
    assert "/v1/chat/completions" in paths
