"""Messages and requests by the same functions: a broker's router with FastAPI's dependencies."""

import pytest
from fastapi import Depends, FastAPI, Header
from fastapi.testclient import TestClient
from faststream.redis import TestRedisBroker
from faststream.redis.fastapi import RedisRouter
from pydantic import BaseModel


class Item(BaseModel):
    name: str
    n: int = 1


closed = []


async def opened(x_token: str = Header("none")):
    yield x_token
    closed.append(x_token)


router = RedisRouter()


@router.subscriber("in")
@router.publisher("out")
async def handle(item: Item, token: str = Depends(opened)):
    return f"{item.name} {item.n} {token}"


@router.subscriber("sync")
def blocking(name: str, n: int):
    return name * n


@router.get("/send/{name}")
async def send(name: str):
    answer = await router.broker.request({"name": name}, "in")
    return await answer.decode()


def make():
    app = FastAPI()
    app.include_router(router)
    return app


@pytest.mark.asyncio
async def test_messages():
    async with TestRedisBroker(router.broker) as broker:
        answer = await broker.request({"name": "foo", "n": "2"}, "in", headers={"x-token": "t"})
        assert await answer.decode() == "foo 2 t"
        assert closed[-1] == "t"
        handle.mock.assert_called_once_with({"name": "foo", "n": "2"})
        answer = await broker.request({"name": "ab", "n": 2}, "sync")
        assert await answer.decode() == "abab"
        with pytest.raises(Exception) as raised:
            await broker.request({"n": "x"}, "in")
        assert type(raised.value).__name__ == "RequestValidationError"


def test_routes_and_documents():
    client = TestClient(make())
    assert "/send/{name}" in client.get("/openapi.json").json()["paths"]
    assert client.get("/asyncapi").status_code in (200, 404)
