"""Slipstream: typed functions compiled, at start-up, to the flat code that serves them."""

from starlette import status as status

from slipstream.applications import FastAPI as FastAPI
from slipstream.background import BackgroundTasks as BackgroundTasks
from slipstream.datastructures import UploadFile as UploadFile
from slipstream.exceptions import HTTPException as HTTPException, WebSocketException as WebSocketException
from slipstream.param_functions import (
    Body as Body,
    Cookie as Cookie,
    Depends as Depends,
    File as File,
    Form as Form,
    Header as Header,
    Path as Path,
    Query as Query,
    Security as Security,
)
from slipstream.requests import Request as Request
from slipstream.responses import Response as Response
from slipstream.routing import APIRouter as APIRouter
from slipstream.websockets import WebSocket as WebSocket, WebSocketDisconnect as WebSocketDisconnect

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
