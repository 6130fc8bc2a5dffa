"""Starlette's middleware that redirects `http` to `https`."""

from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware as HTTPSRedirectMiddleware
