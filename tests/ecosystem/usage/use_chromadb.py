"""The server: a class that makes an application of routes with path parameters and bodies of bytes."""

import json

import pytest
from chromadb.config import Settings
from fastapi.testclient import TestClient


@pytest.fixture
def client(tmp_path):
    from chromadb.server.fastapi import FastAPI as Server

    server = Server(Settings(is_persistent=True, persist_directory=str(tmp_path), allow_reset=True))
    return TestClient(server.app())


AT = "/api/v2/tenants/default_tenant/databases/default_database/collections"


def test_collection_is_made_filled_and_asked(client):
    assert client.get("/api/v2/heartbeat").status_code == 200
    made = client.post(AT, json={"name": "words", "get_or_create": True})
    assert made.status_code == 200
    at = f"{AT}/{made.json()['id']}"
    added = client.post(f"{at}/add", json={"ids": ["a", "b"], "embeddings": [[1.0, 0.0], [0.0, 1.0]]})
    assert added.status_code in (200, 201)
    found = client.post(f"{at}/query", json={"query_embeddings": [[0.9, 0.1]], "n_results": 1})
    assert found.json()["ids"] == [["a"]]
    assert client.get(f"{at}/count").json() == 2
    assert client.get(f"{AT}/nowhere").status_code >= 400


def test_document_says_what_bodies_are(client):
    assert "/api/v2/heartbeat" in client.get("/openapi.json").json()["paths"]
    assert client.post(AT, content=json.dumps({"nome": 1})).status_code >= 400
