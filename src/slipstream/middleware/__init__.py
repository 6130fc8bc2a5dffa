"""Middleware: Starlette's, and `http.py`, which runs `@app.middleware("http")` functions."""

from starlette.middleware import Middleware as Middleware
