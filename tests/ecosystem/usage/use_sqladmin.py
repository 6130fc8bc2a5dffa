"""An administration that is mounted by the package itself."""

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqladmin import Admin, ModelView, expose
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class ItemAdmin(ModelView, model=Item):
    column_list = ["id", "name"]

    @expose("/extra", methods=["GET"])
    async def extra(self, request):
        from starlette.responses import JSONResponse

        return JSONResponse(str(request.url_for("admin:list", identity="item")))


def client():
    engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    Base.metadata.create_all(engine)
    app = FastAPI()

    @app.get("/")
    def home():
        return "home"

    Admin(app, engine).add_view(ItemAdmin)
    return TestClient(app)


def test_list_create_and_list():
    shop = client()
    assert shop.get("/admin/item/list").status_code == 200
    assert shop.post("/admin/item/create", data={"name": "Foo bar"}).status_code == 200
    assert "Foo bar" in shop.get("/admin/item/list").text
    assert shop.get("/").json() == "home"


def test_static_files_and_exposed_route():
    shop = client()
    assert shop.get("/admin/statics/css/main.css").status_code == 200
    assert shop.get("/admin/item/none").status_code == 404
