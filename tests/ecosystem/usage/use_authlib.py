"""Sign-in by OAuth: the redirect, and what the session keeps of it."""

from authlib.integrations.starlette_client import OAuth
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.middleware.sessions import SessionMiddleware


def test_redirect_to_the_provider():
    oauth = OAuth()
    oauth.register("there", client_id="me", client_secret="x", authorize_url="https://there.example/authorize",
                   access_token_url="https://there.example/token", client_kwargs={"scope": "read"})  # fmt: skip
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="secret")

    @app.get("/login")
    async def login(request: Request):
        return await oauth.there.authorize_redirect(request, str(request.url_for("callback")))

    @app.get("/callback")
    async def callback(request: Request):
        return sorted(request.session)

    client = TestClient(app)
    answer = client.get("/login", follow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://there.example/authorize?response_type=code&client_id=me")
    assert "redirect_uri=http%3A%2F%2Ftestserver%2Fcallback" in answer.headers["location"]
    assert len(client.get("/callback").json()) == 1
