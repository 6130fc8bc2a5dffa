"""Starlette's middleware that compresses responses."""

from starlette.middleware.gzip import GZipMiddleware as GZipMiddleware
