"""A WebSocket with a parameter of its path, one of its query, and a dependency."""

from collections.abc import AsyncIterator
from typing import Annotated

from slipstream import Depends, FastAPI, WebSocket

app = FastAPI(openapi_url=None)


async def user(token: str) -> AsyncIterator[str]:
    yield token


@app.websocket("/rooms/{room_id}")
async def chat(websocket: WebSocket, room_id: int, user: Annotated[str, Depends(user)]):
    await websocket.accept()
