"""CRUD routes of a table, by the package's wrapper of FastAPI."""

import os

from fastapi import FastAPI
from fastapi.testclient import TestClient
from piccolo.columns import Integer, Varchar
from piccolo.engine.sqlite import SQLiteEngine
from piccolo.table import Table
from piccolo_api.crud.endpoints import PiccoloCRUD
from piccolo_api.fastapi.endpoints import FastAPIWrapper

DATABASE = SQLiteEngine(path=os.path.join(os.environ.get("TMPDIR", "/tmp"), f"usage-{os.getpid()}.db"))


class Item(Table, db=DATABASE):
    name = Varchar()
    price = Integer()


def test_routes_of_a_table():
    Item.create_table(if_not_exists=True).run_sync()
    try:
        app = FastAPI()
        FastAPIWrapper(root_url="/items/", fastapi_app=app, piccolo_crud=PiccoloCRUD(table=Item, read_only=False))
        client = TestClient(app)
        assert client.post("/items/", json={"name": "Foo", "price": 3}).status_code == 201
        assert [row["name"] for row in client.get("/items/").json()["rows"]] == ["Foo"]
        assert client.patch("/items/1/", json={"price": 4}).json()["price"] == 4
        assert client.get("/items/", params={"price": 5}).json()["rows"] == []
        paths = client.get("/openapi.json").json()["paths"]
        assert "/items/{row_id}/" in paths
        names = {parameter["name"] for parameter in paths["/items/"]["get"]["parameters"]}
        assert {"name", "price", "price__operator"} <= names
    finally:
        Item.alter().drop_table(if_exists=True).run_sync()
