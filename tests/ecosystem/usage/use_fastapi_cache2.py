"""A cached endpoint, whose parameters the decorator adds."""

from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache
from pydantic import BaseModel


class Item(BaseModel):
    number: int


def application():
    FastAPICache.init(InMemoryBackend(), prefix="usage", expire=60)
    app, calls = FastAPI(), []

    @app.get("/sync/{number}")
    @cache(expire=60)
    def sync(number: int) -> Item:
        calls.append(number)
        return Item(number=number)

    @app.get("/async/{number}")
    @cache(expire=60, namespace="other")
    async def asynchronous(number: int, request: Request):
        calls.append(number)
        return {"path": request.url.path}

    return TestClient(app), calls


def test_second_request_is_answered_from_the_cache():
    client, calls = application()
    with client:
        first, second = client.get("/sync/1"), client.get("/sync/1")
        assert first.json() == second.json() == {"number": 1}
        assert (first.headers["x-fastapi-cache"], second.headers["x-fastapi-cache"]) == ("MISS", "HIT")
        assert client.get("/async/2").json() == client.get("/async/2").json() == {"path": "/async/2"}
    assert calls == [1, 2]


def test_not_modified_by_etag():
    client, _ = application()
    with client:
        tag = client.get("/sync/4").headers["etag"]
        assert client.get("/sync/4", headers={"if-none-match": tag}).status_code == 304


def test_added_parameters_are_not_in_the_document():
    client, _ = application()
    parameters = client.get("/openapi.json").json()["paths"]["/sync/{number}"]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == ["number"]
