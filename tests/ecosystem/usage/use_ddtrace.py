"""Spans of requests, with the route as their resource, when the patch comes first."""

import os

os.environ.setdefault("DD_TRACE_AGENT_URL", "http://127.0.0.1:1")
os.environ.setdefault("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "false")
os.environ.setdefault("DD_REMOTE_CONFIGURATION_ENABLED", "false")

import ddtrace
import pytest
from ddtrace.trace import TraceFilter, tracer

SEEN = []


class Collect(TraceFilter):
    def process_trace(self, trace):
        SEEN.extend((span.name, span.resource) for span in trace)


@pytest.fixture(scope="module", autouse=True)
def patched():
    ddtrace.patch(fastapi=True, starlette=True)
    tracer.configure(trace_processors=[Collect()])


def application():
    from fastapi import APIRouter, FastAPI
    from fastapi.testclient import TestClient

    app, router = FastAPI(), APIRouter(prefix="/shop")

    @app.get("/items/{item}")
    async def read(item: int):
        return item

    @router.get("/carts/{cart}")
    def cart(cart: int):
        return cart

    app.include_router(router)
    return TestClient(app)


def spans(path):
    SEEN.clear()
    assert application().get(path).status_code == 200
    return sorted(SEEN)


def test_route_is_the_resource():
    assert ("fastapi.request", "GET /items/{item}") in spans("/items/1")


def test_included_route_is_the_resource():
    assert ("fastapi.request", "GET /shop/carts/{cart}") in spans("/shop/carts/1")


def test_serialisation_has_its_span():
    assert "fastapi.serialize_response" in {name for name, _ in spans("/items/1")}
