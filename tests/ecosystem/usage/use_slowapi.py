"""Limits by decorator and by middleware."""

from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware, SlowAPIMiddleware
from slowapi.util import get_remote_address


def application(middleware=None, **limits):
    limiter = Limiter(key_func=get_remote_address, headers_enabled=True, **limits)
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
    if middleware is not None:
        app.add_middleware(middleware)
    return app, limiter, TestClient(app)


def test_decorated_endpoints():
    app, limiter, client = application()

    @app.get("/sync")
    @limiter.limit("1/minute")
    def sync(request: Request, response: Response):
        return {}

    @app.get("/async")
    @limiter.limit("1/minute")
    async def asynchronous(request: Request, response: Response):
        return {}

    for path in ("/sync", "/async"):
        first, second = client.get(path), client.get(path)
        assert (first.status_code, second.status_code) == (200, 429)
        assert first.headers["x-ratelimit-remaining"] == "0"


def limited_by(middleware):
    app, _, client = application(middleware, default_limits=["1/minute"])

    @app.get("/items/{item}")
    def read(item: int):
        return item

    return [client.get("/items/1").status_code, client.get("/items/1").status_code]


def test_default_limits_by_middleware():
    assert limited_by(SlowAPIMiddleware) == [200, 429]


def test_default_limits_by_asgi_middleware():
    assert limited_by(SlowAPIASGIMiddleware) == [200, 429]


def test_exempt_route():
    app, limiter, client = application(SlowAPIMiddleware, default_limits=["1/minute"])

    @app.get("/free")
    @limiter.exempt
    def free(request: Request):
        return {}

    assert [client.get("/free").status_code for _ in range(3)] == [200, 200, 200]
