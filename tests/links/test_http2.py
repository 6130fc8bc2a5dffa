"""Polling by HTTP/2, against a server that speaks it: cursor, validators, cookies, refusals, a server that goes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipstream.links import TLS, Links, LinkState, PollingSetup
from slipstream.links.polling import DialFailed, Poller
from tests.peers import HTTPProxy, http2_server

from .support import QUICK, Event, until

pytestmark = pytest.mark.anyio


class Feed:
    """Events 1 to 40, ten an answer; it notes what it saw."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.refuse: int | None = None
        self.during: Callable[[int], None] = lambda number: None

    async def __call__(self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = dict(part.split("=") for part in scope["query_string"].decode().split("&") if part)
        body = (await receive())["body"]
        self.seen.append({"version": scope["http_version"], "headers": headers, "body": body, **query})
        after = int(query.get("after", 0))
        status = self.refuse or (200 if after < 40 else 304)
        sent = [(b"etag", b'"an-etag"'), (b"set-cookie", b"sid=1")]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        self.during(len(self.seen))
        events = [{"id": number} for number in range(after + 1, after + 11)]
        answer = {"events": events, "next": after + 10, "padding": "x" * 200_000}
        await send({"type": "http.response.body", "body": json.dumps(answer).encode() if status == 200 else b""})


async def test_events_are_polled_by_http_2(certificate: Path, links: Links) -> None:
    """In order, by the cursor, in answers that are longer than a window; over a server that was away."""
    feed, handled = Feed(), []
    async with http2_server(feed, certificate) as port:
        setup = PollingSetup(
            f"https://localhost:{port}/events",
            interval=0.001,
            http2=True,
            tls=TLS(ca_file=str(certificate)),
            headers={"X-Token": "t"},
            cookies={"own": "2"},
            content=b"ask",
            method="POST",
        )
        link = links.poll(setup, events="events", cursor="next", cursor_param="after", event_id="id", backoff=QUICK)

        @link
        async def handle(event: Event) -> None:
            handled.append(event.id)
            if event.id == 20:
                feed.refuse = 503

        async with links.running():
            refused = await link.wait_for(LinkState.BACKING_OFF)
            feed.refuse = None
            await until(lambda: len(handled) == 40)

    assert handled == list(range(1, 41))
    assert refused.reason == "the server answered 503"
    assert {each["version"] for each in feed.seen} == {"2"}
    assert {each["body"] for each in feed.seen} == {b"ask"}
    later = feed.seen[1]["headers"]
    assert later["x-token"] == "t"
    assert {"own=2", "sid=1"} <= set(later["cookie"].split("; "))


async def test_what_has_not_changed_is_not_sent_again(certificate: Path) -> None:
    """Conditional requests are what they are by HTTP/1.1."""
    feed, poller = Feed(), Poller()
    async with http2_server(feed, certificate) as port:
        setup = PollingSetup(f"https://localhost:{port}/", http2=True, tls=TLS(ca_file=str(certificate)))
        await poller.fetch(setup)
        feed.refuse = 304
        answer = await poller.fetch(setup)
        await poller.aclose()

    assert (answer.status, answer.content) == (304, b"")
    assert feed.seen[1]["headers"]["if-none-match"] == '"an-etag"'


async def test_a_connection_that_is_cut_is_made_anew(certificate: Path, links: Links) -> None:
    """In the middle of an answer, and while nothing is asked; no event is lost by it, and none comes twice."""
    feed, handled = Feed(), []
    async with http2_server(feed, certificate) as port, HTTPProxy() as proxy:
        setup = PollingSetup(
            f"https://localhost:{port}/",
            interval=0.001,
            http2=True,
            tls=TLS(ca_file=str(certificate)),
            proxy=proxy.url(),
        )
        link = links.poll(setup, events="events", cursor="next", cursor_param="after", event_id="id", backoff=QUICK)
        feed.during = lambda number: proxy.cut() if number == 2 else None

        @link
        async def handle(event: Event) -> None:
            handled.append(event.id)
            if event.id == 30:
                proxy.cut()

        async with links.running():
            await until(lambda: len(handled) == 40)

    assert handled == list(range(1, 41))
    assert {each["version"] for each in feed.seen} == {"2"}
    assert len(proxy.asked) == 3


async def test_an_unknown_authority_is_refused_by_http_2_too(certificate: Path) -> None:
    """Offering another protocol gives nothing away."""
    poller = Poller()
    async with http2_server(Feed(), certificate) as port:
        with pytest.raises(DialFailed) as failed:
            await poller.fetch(PollingSetup(f"https://localhost:{port}/", http2=True))
    await poller.aclose()

    assert failed.value.failure.kind == "tls"
