"""Slipstream: typed functions compiled, at start-up, to the flat code that serves them."""

import sys
from types import ModuleType
from typing import Any

from starlette import status

from slipstream._app.names import take
from slipstream._on_demand import submodules
from slipstream.applications import FastAPI
from slipstream.background import BackgroundTasks
from slipstream.datastructures import UploadFile
from slipstream.exceptions import HTTPException, WebSocketException
from slipstream.limits import COMPATIBLE, INTERNET, Limits
from slipstream.param_functions import Body, Cookie, Depends, File, Form, Header, Path, Query, Security
from slipstream.requests import Request
from slipstream.responses import Response
from slipstream.routing import APIRouter
from slipstream.websockets import WebSocket, WebSocketDisconnect

__version__: str
"""Ours, or FastAPI's while the module bears FastAPI's name, for packages that compare."""


_submodule = submodules(globals(), "_compat", "dependencies", "security")


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        # Whoever gives the package FastAPI's name does so by its spec.
        if name == "__spec__" and value is not None and value.name == "fastapi":
            take("fastapi")

    def __getattr__(self, name: str) -> str | ModuleType:
        if name != "__version__":
            return _submodule(name)
        return "0.165.0" if sys.modules.get("fastapi") is self else "0.1.0"


sys.modules[__name__].__class__ = _Package

__all__ = [
    "COMPATIBLE",
    "INTERNET",
    "APIRouter",
    "BackgroundTasks",
    "Body",
    "Cookie",
    "Depends",
    "FastAPI",
    "File",
    "Form",
    "HTTPException",
    "Header",
    "Limits",
    "Path",
    "Query",
    "Request",
    "Response",
    "Security",
    "UploadFile",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketException",
    "status",
]
