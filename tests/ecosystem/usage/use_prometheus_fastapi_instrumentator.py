"""Metrics of routes, also of included ones, as the package's page shows."""

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator


def application():
    app, router = FastAPI(), APIRouter(prefix="/shop")

    @app.get("/items/{item}")
    def read(item: int):
        return item

    @router.get("/carts/{cart}")
    def cart(cart: int):
        return cart

    app.include_router(router, prefix="/v1")
    Instrumentator(registry=CollectorRegistry()).instrument(app).expose(app)
    return TestClient(app)


def metrics(client, path):
    assert client.get(path).status_code == 200
    return client.get("/metrics").text


def test_handler_of_a_route():
    assert 'handler="/items/{item}"' in metrics(application(), "/items/3")


def test_handler_of_an_included_route():
    assert 'handler="/v1/shop/carts/{cart}"' in metrics(application(), "/v1/shop/carts/3")
