"""An administration that mounts itself on the application."""

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import StaticPool
from starlette_admin.contrib.sqla import Admin, ModelView


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def test_pages_of_the_administration():
    engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    Base.metadata.create_all(engine)
    app = FastAPI()
    admin = Admin(engine)
    admin.add_view(ModelView(Item))
    admin.mount_to(app)
    client = TestClient(app)
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/item/list").status_code == 200
    assert client.post("/admin/item/create", data={"name": "Foo bar"}, follow_redirects=False).status_code == 303
    assert [item["name"] for item in client.get("/admin/api/item").json()["items"]] == ["Foo bar"]
