"""Class-based views, inferring routers and repeated tasks."""

from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from fastapi_utils.cbv import cbv
from fastapi_utils.inferring_router import InferringRouter


def shop():
    return "shop"


def test_class_based_view():
    router = APIRouter()

    @cbv(router)
    class Views:
        name: str = Depends(shop)

        @router.get("/items/{item}")
        def read(self, item: int) -> str:
            return f"{self.name} {item}"

        @router.get("/")
        async def home(self):
            return self.name

    app = FastAPI()
    app.include_router(router)
    client = TestClient(app)
    assert client.get("/items/3").json() == "shop 3"
    assert client.get("/").json() == "shop"
    assert [p["name"] for p in client.get("/openapi.json").json()["paths"]["/items/{item}"]["get"]["parameters"]] == [
        "item"
    ]


def test_inferring_router():
    router = InferringRouter()

    @router.get("/")
    def read() -> int:
        return "3"

    app = FastAPI()
    app.include_router(router)
    assert TestClient(app).get("/").json() == 3
