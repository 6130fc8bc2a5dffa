"""The pages, what they link to, and what they must not let through."""

import re
from html.parser import HTMLParser

import httpx2
import pytest

from .support import Account

PAGES = ["/", "/chat", "/live", "/links"]


class Links(HTMLParser):
    """Every address that a page names, split into what is followed and what is loaded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.followed: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        addresses = [value for name, value in attrs if name in ("href", "src") and value]
        (self.followed if tag == "a" else self.loaded).extend(addresses)


def test_the_index_page_links_every_part_of_the_tour(client: httpx2.Client) -> None:
    """Each link leads somewhere."""
    page = client.get("/")
    links = Links(page.text).followed

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert {link.partition("#")[0] for link in links} >= {
        "/chat", "/live", "/links", "/items", "/docs", "/redoc", "/openapi.json", "/health",
    }  # fmt: skip
    assert {"/docs#/users", "/docs#/items", "/docs#/files"} <= set(links)
    for link in links:
        assert client.get(link).status_code == 200, link


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_only_what_the_tour_itself_serves(client: httpx2.Client, path: str) -> None:
    """No content delivery network, no script in the page: the policy says so, and the page keeps to it."""
    page = client.get(path)
    loaded = Links(page.text).loaded

    assert page.status_code == 200
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)
    assert [client.get(address).status_code for address in loaded] == [200] * len(loaded)
    assert not re.search(r"<script[^>]*>[^<]|\son\w+=|style=", page.text)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/static/tour.css", "text/css; charset=utf-8"),
        ("/static/chat.js", "text/javascript; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
    ],
)
def test_a_static_file_has_its_type_and_need_not_be_sent_twice(
    client: httpx2.Client, path: str, media_type: str
) -> None:
    """A browser that has it asks whether it changed, and gets no body."""
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert first.status_code == 200
    assert first.headers["content-type"] == media_type
    assert first.headers["x-content-type-options"] == "nosniff"
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize("path", ["../main.py", "..%2Fmain.py", "%2e%2e/main.py", "..%5Cmain.py", "/etc/passwd", "no"])
def test_nothing_outside_the_static_folder_is_served(client: httpx2.Client, path: str) -> None:
    """Whichever way the dots are written."""
    refused = client.get(f"/static/{path}")

    assert refused.status_code == 404
    assert refused.json() == {"detail": "Not Found"}


def test_what_users_wrote_is_escaped(client: httpx2.Client, ann: Account) -> None:
    """An item's name is text, also when it looks like HTML."""
    ann.create_item(name="<script>alert('kite')</script>", is_public=True)

    page = client.get("/").text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(&#39;kite&#39;)&lt;/script&gt;" in page


def test_a_private_item_is_not_on_the_index_page(client: httpx2.Client, ann: Account) -> None:
    """The page is for everyone, so it shows what everyone may see."""
    ann.create_item(name="Invisible kite")
    ann.create_item(name="Visible kite", price_cents=1250, is_public=True)

    page = client.get("/").text

    assert "Visible kite" in page
    assert "12.50" in page
    assert ann.username in page
    assert "Invisible kite" not in page


def test_the_chat_page_takes_the_room_from_its_address(client: httpx2.Client) -> None:
    """A link can lead into a room; what is no room is refused before it reaches the page."""
    page = client.get("/chat", params={"room": "kites"})
    refused = client.get("/chat", params={"room": '"><script>'})

    assert page.status_code == 200
    assert 'value="kites"' in page.text
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["query", "room"]
    assert refused.headers["content-type"] == "application/json"


def test_the_health_of_the_server_can_be_asked(client: httpx2.Client) -> None:
    """For load balancers, without an account."""
    health = client.get("/health")

    assert health.status_code == 200
    assert health.headers["content-type"] == "application/json"
    assert health.json() == {"status": "ok"}


def test_an_unknown_address_is_not_found(client: httpx2.Client) -> None:
    """As JSON, like every other error."""
    refused = client.get("/nowhere")

    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/json"
    assert refused.json() == {"detail": "Not Found"}


def test_the_openapi_document_says_how_to_log_in_and_what_is_protected(client: httpx2.Client) -> None:
    """The documentation's “Authorize” button works from this; pages for people are not listed."""
    document = client.get("/openapi.json").json()

    assert document["info"]["title"] == "A tour of Slipstream"
    assert document["components"]["securitySchemes"]["OAuth2PasswordBearer"] == {
        "type": "oauth2",
        "flows": {"password": {"scopes": {}, "tokenUrl": "users/token"}},
    }
    assert set(document["paths"]) == {
        "/users", "/users/token", "/users/me", "/items", "/items/{item_id}",
        "/files", "/files/{file_id}", "/live/counter", "/links/state", "/health",
    }  # fmt: skip
    assert document["paths"]["/users/me"]["get"]["security"] == [{"OAuth2PasswordBearer": []}]
    assert "security" not in document["paths"]["/health"]["get"]
    assert set(document["paths"]["/files"]["post"]["responses"]) == {"201", "413", "422"}
    assert list(document["paths"]["/files"]["post"]["requestBody"]["content"]) == ["multipart/form-data"]
