"""The counter: a stream that can be left and taken up again."""

import json
from datetime import datetime
from typing import Any

import httpx2
import pytest

from .support import Event, Server, locations, read_events

COUNTER = "/live/counter"
FAST = {"interval": 0.01}


def count(client: httpx2.Client, last: int | None = None, **query: Any) -> tuple[httpx2.Response, list[Event]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with client.stream("GET", COUNTER, params={**FAST, **query}, headers=headers) as response:
        return response, list(read_events(response.iter_lines()))


def tick(event: Event) -> dict[str, Any]:
    return dict(json.loads("\n".join(event.data)))


def test_the_counter_counts_to_where_it_is_asked_to_stop(client: httpx2.Client) -> None:
    """Each event has a type, a number that is also its id, and the time to wait before coming back."""
    response, events = count(client, stop=3)

    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert [(event.event, event.id, event.retry) for event in events] == [
        ("tick", "1", "1000"),
        ("tick", "2", "1000"),
        ("tick", "3", "1000"),
    ]
    assert [tick(event)["number"] for event in events] == [1, 2, 3]
    assert all(datetime.fromisoformat(tick(event)["at"]).tzinfo for event in events)


def test_who_comes_back_with_the_last_id_goes_on_after_it(client: httpx2.Client) -> None:
    """From connection to connection no number is missing or comes twice, and 204 says that it is over."""
    seen: list[int] = []
    response, events = count(client, stop=45)
    connections = 0
    while response.status_code == 200:
        connections += 1
        seen += [int(event.id) for event in events]
        response, events = count(client, last=seen[-1], stop=45)

    assert seen == list(range(1, 46))
    assert connections == 3
    assert response.status_code == 204
    assert events == []


def test_events_arrive_as_they_happen(client: httpx2.Client) -> None:
    """The first is there while the last is yet to come: nothing waits for the end of the stream."""
    query = {"stop": 10_000, "interval": 2}
    with client.stream("GET", COUNTER, params=query) as response:
        first = next(read_events(response.iter_lines()))

    assert first.id == "1"


def test_a_viewer_who_leaves_is_no_longer_counted(server: Server) -> None:
    """The generator on the server ends with its client, and does not count on for nobody."""
    query = {"stop": 10_000, "interval": 0.5}
    with (
        server.client() as staying,
        staying.stream("GET", COUNTER, params=query) as stream,
    ):
        ticks = map(tick, read_events(stream.iter_lines()))
        alone = next(ticks)["watching"]
        with server.client() as leaving, leaving.stream("GET", COUNTER, params=query) as other:
            together = tick(next(read_events(other.iter_lines())))["watching"]

        assert together == alone + 1
        assert any(seen["watching"] == alone for seen in ticks)


@pytest.mark.parametrize(
    ("query", "last", "loc"),
    [
        ({"stop": 0}, None, ["query", "stop"]),
        ({"stop": 10_001}, None, ["query", "stop"]),
        ({"stop": "never"}, None, ["query", "stop"]),
        ({"interval": 0}, None, ["query", "interval"]),
        ({"interval": "nan"}, None, ["query", "interval"]),
        ({}, "x", ["header", "last-event-id"]),
        ({}, "-1", ["header", "last-event-id"]),
        ({}, "9" * 5000, ["header", "last-event-id"]),
    ],
)
def test_what_cannot_be_counted_is_refused(
    client: httpx2.Client, query: dict[str, Any], last: str | None, loc: list[str]
) -> None:
    """Before the stream begins, as an ordinary 422."""
    refused = client.get(COUNTER, params=query, headers={} if last is None else {"Last-Event-ID": last})

    assert locations(refused) == [loc]
