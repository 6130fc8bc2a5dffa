"""Which cookies of a server to keep."""

from http.cookiejar import Cookie, DefaultCookiePolicy
from typing import Any


class Sendable(DefaultCookiePolicy):
    """Keeps the cookies that httpx2 can send again: one beyond ASCII would be an error at each later request."""

    def set_ok(self, cookie: Cookie, request: Any) -> bool:
        """Whether to keep a cookie."""
        return f"{cookie.name}{cookie.value}".isascii() and super().set_ok(cookie, request)
