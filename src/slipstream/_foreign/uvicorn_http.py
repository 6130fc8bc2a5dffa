"""What uvicorn puts around an application for proxy headers, which our protocol reads itself."""

from typing import Any

try:
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
except ImportError:
    ProxyHeadersMiddleware = None  # type: ignore[assignment,misc]  # our protocol then serves with what is around


def without_proxy_headers(app: Any) -> Any:
    """Return the application inside of uvicorn's middleware for proxy headers; any other as it is."""
    if ProxyHeadersMiddleware is not None and type(app) is ProxyHeadersMiddleware:
        return getattr(app, "app", app)
    return app
