"""The pages that show an OpenAPI document: Swagger UI and ReDoc.

The pages are a few lines of HTML; scripts and styles come from the URLs given, by default from a CDN.
"""

import json
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

from slipstream.encoders import jsonable_encoder

swagger_ui_default_parameters: dict[str, Any] = {
    "dom_id": "#swagger-ui",
    "layout": "BaseLayout",
    "deepLinking": True,
    "showExtensions": True,
    "showCommonExtensions": True,
}
"""Swagger UI's settings, unless the app says otherwise; `swagger_ui_parameters` are put on top."""

_FAVICON = (
    "data:image/svg+xml,%3Csvg xmlns=%27http://www.w3.org/2000/svg%27 viewBox=%270 0 16 16%27%3E"
    "%3Cpath d=%27M1 5h9M4 8h11M1 11h9%27 stroke=%27%23087%27 stroke-width=%272%27/%3E%3C/svg%3E"
)


def get_swagger_ui_html(
    *,
    openapi_url: str,
    title: str,
    swagger_js_url: str = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js",
    swagger_css_url: str = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css",
    swagger_favicon_url: str = _FAVICON,
    oauth2_redirect_url: str | None = None,
    init_oauth: dict[str, Any] | None = None,
    swagger_ui_parameters: dict[str, Any] | None = None,
) -> HTMLResponse:
    """Make the page that shows a document with Swagger UI.

    Args:
        oauth2_redirect_url: Where an OAuth2 server sends the user back to, relative to the origin.
        init_oauth: Arguments of Swagger UI's `initOAuth`.
        swagger_ui_parameters: Settings of Swagger UI, put on top of `swagger_ui_default_parameters`.
    """
    given = swagger_ui_default_parameters | (swagger_ui_parameters or {})
    lines = [f"url: {_script_string(openapi_url)},"]
    lines += [f"{_script_json(key)}: {_script_json(jsonable_encoder(value))}," for key, value in given.items()]
    if oauth2_redirect_url:
        lines.append(f"oauth2RedirectUrl: window.location.origin + {_script_string(oauth2_redirect_url)},")
    settings = "\n    ".join(lines)
    login = f"ui.initOAuth({_script_json(jsonable_encoder(init_oauth))})" if init_oauth else ""
    head = f'<link rel="stylesheet" href="{escape(swagger_css_url)}">\n  {_icon(swagger_favicon_url)}'
    body = f"""<div id="swagger-ui"></div>
  <script src="{escape(swagger_js_url)}"></script>
  <script>
  const ui = SwaggerUIBundle({{
    {settings}
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  }})
  {login}
  </script>"""
    return _page(title, head, body)


def get_redoc_html(
    *,
    openapi_url: str,
    title: str,
    redoc_js_url: str = "https://cdn.jsdelivr.net/npm/redoc@2/bundles/redoc.standalone.js",
    redoc_favicon_url: str = _FAVICON,
    with_google_fonts: bool = True,
) -> HTMLResponse:
    """Make the page that shows a document with ReDoc, in fonts from Google or in those at hand."""
    fonts = f'<link rel="stylesheet" href="{_GOOGLE_FONTS}">\n  ' if with_google_fonts else ""
    head = f"{fonts}{_icon(redoc_favicon_url)}\n  <style>body {{ margin: 0; padding: 0; }}</style>"
    body = f"""<noscript>This page needs JavaScript to show the documentation.</noscript>
  <redoc spec-url="{escape(openapi_url)}"></redoc>
  <script src="{escape(redoc_js_url)}"></script>"""
    return _page(title, head, body)


_GOOGLE_FONTS = "https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700"


def get_swagger_ui_oauth2_redirect_html() -> HTMLResponse:
    """Make the page that an OAuth2 server sends the user back to; it hands the answer to Swagger UI."""
    return _page("Swagger UI: OAuth2 Redirect", "", _OAUTH2_REDIRECT)


# What Swagger UI leaves for this page in `opener.swaggerUIRedirectOauth2`: the flow it started (`auth`,
# `state`, `redirectUrl`) and where to report (`callback`, `errCb`). Codes come in the query, tokens in
# the fragment. https://github.com/swagger-api/swagger-ui/blob/master/docs/usage/oauth2.md
_OAUTH2_REDIRECT = """<script>
  const oauth2 = window.opener.swaggerUIRedirectOauth2
  const { auth, redirectUrl } = oauth2
  const inFragment = /code|token|error/.test(location.hash)
  const text = inFragment ? location.hash.slice(1).replace('?', '&') : location.search.slice(1)
  const answer = Object.fromEntries(new URLSearchParams(text))
  const isValid = answer.state === oauth2.state
  const report = (level, message) => oauth2.errCb({ authId: auth.name, source: 'auth', level, message })
  const hasCode = ['accessCode', 'authorizationCode', 'authorization_code'].includes(auth.schema.get('flow'))

  if (!hasCode || auth.code) {
    oauth2.callback({ auth, token: answer, isValid, redirectUrl })
  } else {
    if (!isValid) {
      report('warning', 'The server sent back another state than it was given: the login may be forged.')
    }
    if (answer.code) {
      delete oauth2.state
      auth.code = answer.code
      oauth2.callback({ auth, redirectUrl })
    } else {
      const reason = [answer.error_description, answer.error_uri].filter(Boolean).join(' ')
      report('error', answer.error ? `${answer.error}: ${reason}` : 'The server sent no authorization code.')
    }
  }
  window.close()
  </script>"""


def _page(title: str, head: str, body: str) -> HTMLResponse:
    return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{escape(title, quote=False)}</title>
  {head}
</head>
<body>
  {body}
</body>
</html>
""")


def _icon(url: str) -> str:
    return f'<link rel="icon" href="{escape(url)}">'


def _script_json(value: Any) -> str:
    """Write JSON that cannot end the `<script>` it stands in."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _script_string(text: str) -> str:
    """Write a string in single quotes that cannot end the `<script>` it stands in."""
    inner = _script_json(text)[1:-1].replace('\\"', '"').replace("'", "\\u0027")
    return f"'{inner}'"
