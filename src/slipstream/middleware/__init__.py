"""Middleware: Starlette's, and `http.py`, which runs `@app.middleware("http")` functions."""

from starlette.middleware import Middleware as Middleware

from slipstream._on_demand import submodules

globals()["__getattr__"] = submodules(globals(), "asyncexitstack")
