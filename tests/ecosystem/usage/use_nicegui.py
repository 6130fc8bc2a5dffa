"""Pages beside an application's own routes."""

from fastapi import Depends, FastAPI, Header
from fastapi.testclient import TestClient
from nicegui import APIRouter, app as pages, ui

app = FastAPI()


def language(accept_language: str = Header("none")):
    return accept_language


@app.get("/api/{x}")
def api(x: int):
    return x


@ui.page("/page/{name}")
async def page(name: str, times: int = 1, lang: str = Depends(language)):
    ui.label(f"Hi {name} " * times + lang)


router = APIRouter(prefix="/more")


@router.page("/inner")
def inner():
    ui.button("inner button")


pages.include_router(router)


@pages.get("/plain")
def plain(n: int = 2):
    return {"n": n}


ui.run_with(app, mount_path="/gui", storage_secret="secret")


def test_pages_and_routes():
    with TestClient(app) as client:
        assert client.get("/api/3").json() == 3
        assert client.get("/api/x").status_code == 422
        answer = client.get("/gui/page/Foo", params={"times": 2}, headers={"accept-language": "en"})
        assert answer.status_code == 200
        assert "Hi Foo Hi Foo en" in answer.text
        assert "inner button" in client.get("/gui/more/inner").text
        assert client.get("/gui/plain", params={"n": 5}).json() == {"n": 5}
        assert client.get("/gui/nowhere").status_code == 404
        assert client.get("/gui/page/Foo", params={"times": "x"}).status_code in (422, 500)
