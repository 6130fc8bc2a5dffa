"""How HTML pages are made: escaped by Jinja2, and bound to scripts and styles of our own."""

from pathlib import Path

from slipstream import Request
from slipstream.responses import HTMLResponse
from slipstream.templating import Jinja2Templates

HERE = Path(__file__).parent
CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

templates = Jinja2Templates(HERE / "templates")


def render(request: Request, name: str, **context: object) -> HTMLResponse:
    return templates.TemplateResponse(
        request, name, context, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    )
