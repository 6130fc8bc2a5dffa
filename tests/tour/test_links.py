"""The link that the tour dials: its state is shown, and it comes back."""

import time
from typing import Any

import httpx2

from .support import PATIENCE


def state(client: httpx2.Client) -> dict[str, Any]:
    response = client.get("/links/state")
    assert response.status_code == 200
    return dict(response.json())


def wait_for(client: httpx2.Client, *, ups: int, heard: int) -> dict[str, Any]:
    """Ask until the link has been up so often and brought so many readings; each answer takes a round trip."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        seen = state(client)
        if seen["links"][0]["ups"] >= ups and seen["weather"]["heard"] >= heard:
            return seen
    raise AssertionError(f"the link did not get so far: {seen}")


def test_the_page_tells_how_the_link_is_and_what_it_brought(client: httpx2.Client) -> None:
    """What the page shows is data that any monitor can ask for."""
    seen = wait_for(client, ups=1, heard=1)
    (link,) = seen["links"]

    assert link["name"] == "weather station"
    assert link["kind"] == "websocket"
    assert link["target"].startswith("ws://127.0.0.1:")
    assert link["state"] in ("up", "backing off", "connecting")
    assert -50 < seen["weather"]["latest"]["celsius"] < 50


def test_the_link_comes_back_when_the_station_hangs_up(client: httpx2.Client) -> None:
    """The station hangs up every ten readings: the eleventh comes over another connection, and none comes twice."""
    seen = wait_for(client, ups=2, heard=11)
    (link,) = seen["links"]

    assert seen["weather"]["latest"]["number"] == seen["weather"]["heard"]
    assert link["counters"]["handled"] == seen["weather"]["heard"]
    assert link["counters"]["duplicates"] == 0
