"""Slipstream: typed functions compiled, at start-up, to the flat code that serves them."""

from starlette import status

from slipstream.applications import FastAPI
from slipstream.background import BackgroundTasks
from slipstream.datastructures import UploadFile
from slipstream.exceptions import HTTPException, WebSocketException
from slipstream.param_functions import Body, Cookie, Depends, File, Form, Header, Path, Query, Security
from slipstream.requests import Request
from slipstream.responses import Response
from slipstream.routing import APIRouter
from slipstream.websockets import WebSocket, WebSocketDisconnect

__version__ = "0.1.0"

__all__ = [
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
