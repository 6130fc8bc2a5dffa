"""The documentation pages: what they load, and that nothing given to them can break out."""

import inspect
from typing import Any

import fastapi.openapi.docs
import pytest

from slipstream.openapi import docs

PAGES = ["get_swagger_ui_html", "get_redoc_html", "get_swagger_ui_oauth2_redirect_html"]


def _text(page: str, **options: Any) -> str:
    return bytes(getattr(docs, page)(**options).body).decode()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_takes_fastapis_parameters(page: str) -> None:
    """Only the default icon is another."""
    ours, theirs = (inspect.signature(getattr(module, page)).parameters for module in (docs, fastapi.openapi.docs))

    assert list(ours) == list(theirs)
    assert {k: v.default for k, v in ours.items() if "favicon" not in k} == {
        k: v.default for k, v in theirs.items() if "favicon" not in k
    }


@pytest.mark.parametrize("page", PAGES[:2])
def test_a_page_loads_what_it_is_given(page: str) -> None:
    """Self-hosted assets are an argument away; the defaults are used as they are."""
    urls = {
        name: "/static/" + name for name in inspect.signature(getattr(docs, page)).parameters if name.endswith("_url")
    }

    text = _text(page, title="T", **urls)

    assert all(url in text for url in urls.values())
    assert "https://" not in text.replace("https://fonts.googleapis.com", "")
    for name, parameter in inspect.signature(getattr(docs, page)).parameters.items():
        if isinstance(parameter.default, str):
            assert parameter.default in _text(page, openapi_url="/o", title="T"), name


def test_swagger_ui_is_set_up() -> None:
    """Tests of programs look for these lines."""
    text = _text(
        "get_swagger_ui_html",
        openapi_url="/openapi.json",
        title="T",
        oauth2_redirect_url="/docs/oauth2-redirect",
        init_oauth={"clientId": "c", "appName": "A"},
        swagger_ui_parameters={"syntaxHighlight": {"theme": "obsidian"}, "deepLinking": False},
    )

    for line in (
        "url: '/openapi.json',",
        "oauth2RedirectUrl: window.location.origin + '/docs/oauth2-redirect'",
        '"dom_id": "#swagger-ui"',
        '"layout": "BaseLayout",',
        '"deepLinking": false,',
        '"syntaxHighlight": {"theme": "obsidian"}',
        "presets: [",
        "SwaggerUIBundle.presets.apis,",
        "SwaggerUIBundle.SwaggerUIStandalonePreset",
        'ui.initOAuth({"clientId": "c", "appName": "A"})',
    ):
        assert line in text


EVIL = '\'</script><script>alert("1")</script>&'


@pytest.mark.parametrize(
    ("page", "options"),
    [
        *(("get_swagger_ui_html", {name: EVIL}) for name in ("title", "openapi_url", "oauth2_redirect_url")),
        *(("get_swagger_ui_html", {name: EVIL}) for name in ("swagger_js_url", "swagger_css_url")),
        ("get_swagger_ui_html", {"init_oauth": {"appName": EVIL}}),
        ("get_swagger_ui_html", {"swagger_ui_parameters": {EVIL: EVIL}}),
        *(("get_redoc_html", {name: EVIL}) for name in ("title", "openapi_url", "redoc_js_url")),
    ],
)
def test_nothing_breaks_out_of_its_place(page: str, options: dict[str, Any]) -> None:
    """Titles come from settings, and `root_path` from a proxy's header."""
    text = _text(page, **{"title": "T", "openapi_url": "/o", **options})

    assert "<script>alert" not in text


def test_google_fonts_can_be_left_out() -> None:
    """Some pages must not call Google."""
    assert "fonts.googleapis.com" in _text("get_redoc_html", openapi_url="/o", title="T")
    assert "googleapis" not in _text("get_redoc_html", openapi_url="/o", title="T", with_google_fonts=False)


def test_the_redirect_page_reports_to_swagger_ui() -> None:
    """The two halves of Swagger UI's protocol meet here."""
    text = _text("get_swagger_ui_oauth2_redirect_html")

    for word in ("window.opener.swaggerUIRedirectOauth2", "oauth2.callback(", "oauth2.errCb(", "window.close()"):
        assert word in text
