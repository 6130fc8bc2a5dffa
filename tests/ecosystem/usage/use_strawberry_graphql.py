"""A GraphQL router with a context that FastAPI's dependencies make."""

import strawberry
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.requests import HTTPConnection
from fastapi.testclient import TestClient
from strawberry.fastapi import BaseContext, GraphQLRouter


class Context(BaseContext):
    def __init__(self, name: str):
        self.name = name


def name(connection: HTTPConnection):
    return connection.headers.get("x-name", "nobody")


def context(name: str = Depends(name)):
    return Context(name)


DONE = []


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, info: strawberry.Info, times: int = 1) -> str:
        info.context.response.headers["x-seen"] = "yes"
        tasks: BackgroundTasks = info.context.background_tasks
        tasks.add_task(DONE.append, times)
        return f"{info.context.name} " * times


def client():
    app = FastAPI()
    app.include_router(GraphQLRouter(strawberry.Schema(Query), context_getter=context), prefix="/graphql")
    return TestClient(app)


def test_query_with_context():
    answer = client().post("/graphql", json={"query": "{ hello(times: 2) }"}, headers={"x-name": "Jo"})
    assert answer.json() == {"data": {"hello": "Jo Jo "}}
    assert answer.headers["x-seen"] == "yes"
    assert DONE == [2]


def test_query_by_get_and_page():
    assert client().get("/graphql", params={"query": "{ hello }"}).json() == {"data": {"hello": "nobody "}}
    assert "<html" in client().get("/graphql", headers={"accept": "text/html"}).text.lower()


def test_error():
    assert client().post("/graphql", json={"query": "{ none }"}).json()["errors"]


def test_subscription_protocol_is_agreed():
    with client().websocket_connect("/graphql", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}
        socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": "{ hello }"}})
        assert socket.receive_json()["payload"] == {"data": {"hello": "nobody "}}
