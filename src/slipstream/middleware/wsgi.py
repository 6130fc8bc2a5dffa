"""Starlette's adapter that mounts a WSGI app."""

from starlette.middleware.wsgi import WSGIMiddleware as WSGIMiddleware
