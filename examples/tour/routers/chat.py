"""A chat with rooms: a page, and the WebSocket that it talks to.

Clients send `{"text": "..."}`; what they get is one of the frames below, told apart by `type`.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Literal

import anyio
from pydantic import BaseModel, Field, StringConstraints, ValidationError
from slipstream import APIRouter, Path, Query, Request, WebSocket, WebSocketDisconnect, status
from slipstream.responses import HTMLResponse

from tour.dependencies import RoomsDep
from tour.models import now
from tour.pages import render
from tour.rooms import CannotJoin, Member, Rooms
from tour.schemas import Input

router = APIRouter(prefix="/chat", tags=["chat"])

ROOM = r"^[a-z0-9][a-z0-9\-]{0,31}$"
NAME = r"^[\p{L}\p{N}][\p{L}\p{N} _.\-]{0,23}$"
"""Both also serve as the `pattern` of the page's inputs, so they are written for Rust and JavaScript."""
SEND_TIMEOUT = 10
"""Seconds that a client may take to accept one frame."""


class Say(Input):
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Message(BaseModel):
    type: Literal["message"] = "message"
    name: str
    text: str
    at: datetime = Field(default_factory=now)


class Presence(BaseModel):
    type: Literal["joined", "left"]
    name: str
    members: list[str]


class Refusal(BaseModel):
    type: Literal["error"] = "error"
    detail: str


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def chat_page(request: Request, room: Annotated[str, Query(pattern=ROOM)] = "lobby") -> HTMLResponse:
    return render(request, "chat.html", room=room, room_pattern=ROOM, name_pattern=NAME)


@router.websocket("/{room}/ws")
async def talk(
    websocket: WebSocket,
    room: Annotated[str, Path(pattern=ROOM)],
    name: Annotated[str, Query(pattern=NAME)],
    rooms: RoomsDep,
) -> None:
    await websocket.accept()
    try:
        member = rooms.join(room, name)
    except CannotJoin as refusal:
        await websocket.close(status.WS_1008_POLICY_VIOLATION, str(refusal))
        return
    announce(rooms, room, "joined", name)
    try:
        async with anyio.create_task_group() as tasks:

            async def until_done(work: Awaitable[None]) -> None:
                await work
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_done, read(websocket, room, member, rooms))
            tasks.start_soon(until_done, write(websocket, member))
    finally:
        rooms.leave(room, member)
        announce(rooms, room, "left", name)


def announce(rooms: Rooms, room: str, what: Literal["joined", "left"], name: str) -> None:
    presence = Presence(type=what, name=name, members=rooms.names(room))
    rooms.send(room, presence.model_dump_json())


async def read(websocket: WebSocket, room: str, member: Member, rooms: Rooms) -> None:
    """Pass on what the client says, until it leaves."""
    while (frame := await websocket.receive())["type"] == "websocket.receive":
        try:
            said = Say.model_validate_json(frame.get("text") or frame.get("bytes") or b"")
        except ValidationError as error:
            member.send(Refusal(detail=error.errors()[0]["msg"]).model_dump_json())
        else:
            rooms.send(room, Message(name=member.name, text=said.text).model_dump_json())


async def write(websocket: WebSocket, member: Member) -> None:
    """Send the client what waits for it; let go of one that does not keep up."""
    try:
        async for frame in member.frames():
            with anyio.fail_after(SEND_TIMEOUT):
                await websocket.send_text(frame)
        await websocket.close(status.WS_1013_TRY_AGAIN_LATER, "too slow")
    except (WebSocketDisconnect, TimeoutError):
        pass
