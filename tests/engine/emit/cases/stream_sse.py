"""An endpoint that yields events, with a dependency that stays open while they are sent."""

from collections.abc import AsyncIterator
from typing import Annotated

from slipstream import Depends, FastAPI
from slipstream.sse import EventSourceResponse, ServerSentEvent

app = FastAPI(openapi_url=None)


async def channel() -> AsyncIterator[str]:
    yield "news"


@app.get("/events", response_class=EventSourceResponse)
async def stream_events(channel: Annotated[str, Depends(channel)]) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(data=channel)
