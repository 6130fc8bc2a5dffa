"""A counter that runs on the server and shows in the browser, by Server-Sent Events."""

from collections.abc import AsyncIterable
from typing import Annotated

import anyio
from slipstream import APIRouter, Depends, Header, HTTPException, Query, Request, status
from slipstream.responses import HTMLResponse
from slipstream.sse import EventSourceResponse, ServerSentEvent

from tour.models import now
from tour.pages import render
from tour.schemas import Tick

router = APIRouter(prefix="/live", tags=["live"])

TICKS = 20
"""Events on one connection; then the browser comes back and resumes, so that none stays for ever."""


class Viewers:
    """How many are watching."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Viewers":
        self.count += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.count -= 1


def get_viewers(request: Request) -> Viewers:
    viewers: Viewers = request.state.viewers
    return viewers


def get_numbers(
    stop: Annotated[int, Query(ge=1, le=10_000)] = 100,
    last_event_id: Annotated[int | None, Header(ge=0, le=10_000)] = None,
) -> range:
    """The numbers that this connection counts: from after the last one seen, at most `TICKS`."""
    first = 1 if last_event_id is None else last_event_id + 1
    if first > stop:  # an EventSource that gets 204 stops coming back
        raise HTTPException(status.HTTP_204_NO_CONTENT)
    return range(first, min(first + TICKS, stop + 1))


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def live_page(request: Request) -> HTMLResponse:
    return render(request, "live.html")


@router.get("/counter", response_class=EventSourceResponse)
async def counter(
    numbers: Annotated[range, Depends(get_numbers)],
    viewers: Annotated[Viewers, Depends(get_viewers)],
    interval: Annotated[float, Query(ge=0.01, le=2, description="Seconds")] = 1,
) -> AsyncIterable[ServerSentEvent]:
    """Count up to `stop`; a client that comes back with `Last-Event-ID` goes on from there."""
    with viewers:
        for number in numbers:
            tick = Tick(number=number, watching=viewers.count, at=now())
            yield ServerSentEvent(data=tick, event="tick", id=str(number), retry=1000)
            await anyio.sleep(interval)
