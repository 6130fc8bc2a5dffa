"""An id for each request, in handlers and in replies to errors."""

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.testclient import TestClient


def client():
    app = FastAPI()
    app.add_middleware(CorrelationIdMiddleware, validator=None)

    @app.get("/sync")
    def sync():
        return correlation_id.get()

    @app.get("/async")
    async def asynchronous():
        return correlation_id.get()

    @app.get("/error")
    def error():
        raise ValueError("gone")

    @app.exception_handler(Exception)
    async def unhandled(request: Request, exc: Exception):
        failed = HTTPException(500, "failed", headers={"x-request-id": correlation_id.get() or ""})
        return await http_exception_handler(request, failed)

    return TestClient(app, raise_server_exceptions=False)


def test_id_is_seen_by_endpoints():
    for path in ("/sync", "/async"):
        answer = client().get(path, headers={"x-request-id": "abc"})
        assert (answer.json(), answer.headers["x-request-id"]) == ("abc", "abc")


def test_id_is_in_the_reply_to_an_error():
    answer = client().get("/error", headers={"x-request-id": "abc"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "abc")
