"""Filters of queries by a model, in a dependency that the package makes."""

from fastapi import FastAPI
from fastapi.testclient import TestClient
from fastapi_filter import FilterDepends, with_prefix
from fastapi_filter.contrib.sqlalchemy import Filter
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Inner(Filter):
    name: str | None = None

    class Constants(Filter.Constants):
        model = Item


class ItemFilter(Filter):
    name: str | None = None
    id__in: list[int] | None = None
    order_by: list[str] = ["name"]
    inner: Inner | None = FilterDepends(with_prefix("inner", Inner))

    class Constants(Filter.Constants):
        model = Item


def test_filters():
    app = FastAPI()

    @app.get("/")
    def items(wanted: ItemFilter = FilterDepends(ItemFilter)):
        return str(wanted.sort(wanted.filter(select(Item.id)))).split()

    client = TestClient(app)
    told = client.get("/", params={"name": "a", "id__in": "1,2", "order_by": "-id", "inner__name": "b"})
    assert told.status_code == 200, told.text
    assert " ".join(told.json()).endswith("ORDER BY item.id DESC")
    assert client.get("/", params={"id__in": "x"}).status_code == 422
    assert client.get("/", params={"order_by": "nothing"}).status_code == 422
    names = [item["name"] for item in client.get("/openapi.json").json()["paths"]["/"]["get"]["parameters"]]
    assert names == ["name", "id__in", "order_by", "inner__name"]
