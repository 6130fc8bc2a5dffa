"""A login by a provider: redirect, state in a cookie, and what comes back."""

from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from fastapi_sso.sso.generic import create_provider

PLACES = {"authorization_endpoint": "https://a.test/auth", "token_endpoint": "https://a.test/token",
          "userinfo_endpoint": "https://a.test/me"}  # fmt: skip


def test_login():
    sso = create_provider(name="a", discovery_document=PLACES, response_convertor=lambda r, s: r)("id", "secret")
    app = FastAPI()

    @app.get("/login")
    async def login():
        async with sso:
            return await sso.get_login_redirect(redirect_uri="http://testserver/back", state="s")

    @app.get("/back")
    async def back(request: Request):
        async with sso:
            return await sso.verify_and_process(request)

    client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    answer = client.get("/login")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("https://a.test/auth?")
    assert client.get("/back").status_code == 400
    assert client.get("/back", params={"code": "x", "state": "other"}).status_code in (401, 500)
