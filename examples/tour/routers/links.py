"""What the tour dials itself: a weather station, whose link is shown as it comes and goes."""

from typing import Any

from pydantic import BaseModel
from slipstream import APIRouter, Request
from slipstream.links import Connection, Links, WebSocketSetup
from slipstream.links.rules import Backoff
from slipstream.responses import HTMLResponse

from tour.pages import render
from tour.station import Station

router = APIRouter(prefix="/links", tags=["links"])
station = Station()
links = Links()


class Reading(BaseModel):
    number: int
    celsius: float


class Weather(BaseModel):
    """The latest reading, and how many have come."""

    latest: Reading | None = None
    heard: int = 0


weather = Weather()


@links.websocket(
    lambda: WebSocketSetup(station.url), name="weather station", event_id="number", backoff=Backoff(first=2, limit=10)
)
async def on_reading(connection: Connection, reading: Reading) -> None:
    weather.latest = reading
    weather.heard += 1


class LinksState(BaseModel):
    weather: Weather
    links: list[dict[str, Any]]


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def links_page(request: Request) -> HTMLResponse:
    return render(request, "links.html")


@router.get("/state")
async def links_state() -> LinksState:
    """Tell how each link is, and what it brought last."""
    return LinksState(weather=weather, links=[health.as_dict() for health in links.health()])
