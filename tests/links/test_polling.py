"""HTTP servers that we ask again and again: cursors, long polls, validators, refusals."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from slipstream.links import (
    CannotSend,
    Connection,
    Fatal,
    LinkDown,
    Links,
    LinkState,
    PollingSetup,
    Timeouts,
    WrongHandler,
    WrongSetup,
)
from slipstream.links.polling import Answer, DialFailed, Poller

from .support import QUICK, Event, HandMovedClock, until

pytestmark = pytest.mark.anyio


@dataclass
class Asked:
    """A request as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """Answers requests with what a function says."""

    answer: Callable[[Asked], Reply | Awaitable[Reply]]
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                headers = {
                    name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ")
                self.asked.append(asked := Asked(method, target, headers, body))
                reply = self.answer(asked)
                status, sent, content = await reply if isinstance(reply, Awaitable) else reply
                more = "".join(f"{name}: {text}\r\n" for name, text in sent.items())
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{more}\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Callable[[Any], Awaitable[Server]]]:
    """Start HTTP servers; each is closed at the end."""
    started: list[asyncio.Server] = []
    talking: set[asyncio.Task[Any]] = set()

    async def start(answer: Callable[[Asked], Any]) -> Server:
        made = Server(answer)

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(made.talk(reader, writer))
            talking.add(task)
            try:
                await task
            except asyncio.CancelledError:
                pass

        listening = await asyncio.start_server(talk, "127.0.0.1", 0)
        started.append(listening)
        made.port = listening.sockets[0].getsockname()[1]
        return made

    yield start
    for each in started:
        each.close()
    for task in talking:
        task.cancel()
    await asyncio.gather(*talking, return_exceptions=True)


def as_json(value: Any, **headers: str) -> Reply:
    return 200, headers, json.dumps(value).encode()


Start = Callable[[Callable[[Asked], Any]], Awaitable[Server]]


async def test_the_cursor_follows_what_has_been_handled(server: Start, links: Links) -> None:
    """The next request says where we are, and only when every event before it has been handled."""
    handled: list[int] = []
    ahead: list[bool] = []

    def answer(asked: Asked) -> Reply:
        after = int(httpx2.URL(asked.target).params.get("after", 0))
        ahead.append(after > len(handled))
        events = [{"id": number} for number in range(after + 1, min(after + 3, 9) + 1)]
        return as_json({"data": {"items": events}, "next": after + len(events) or None})

    feed = await server(answer)
    kept: list[int] = []
    link = links.poll(
        PollingSetup(feed.url, interval=0.001),
        events="data.items",
        cursor=lambda answer: answer.data["next"],
        cursor_param="after",
        on_cursor=kept.append,
        backoff=QUICK,
    )

    @link
    async def handle(event: Event) -> None:
        await asyncio.sleep(0)
        handled.append(event.id)

    async with links.running():
        await until(lambda: len(handled) == 9)
        await until(lambda: link.cursor == 9)

    assert handled == list(range(1, 10))
    assert not any(ahead)
    assert kept == [3, 6, 9]


async def test_answers_may_overlap_as_far_as_is_said(server: Start, links: Links) -> None:
    """With `overlap`, that many answers may be in handling while the next request is under way, and no more."""
    feed = await server(lambda asked: as_json([{"id": len(feed.asked)}]))
    go = asyncio.Event()
    link = links.poll(PollingSetup(feed.url, interval=0.001), events=lambda answer: answer.data, overlap=2)

    @link
    async def handle(event: Event) -> None:
        await go.wait()

    async with links.running():
        await until(lambda: len(feed.asked) == 3)
        await asyncio.sleep(0.03)  # many intervals long
        assert len(feed.asked) == 3
        go.set()
        await until(lambda: len(feed.asked) > 5)


async def test_a_whole_answer_is_one_event_by_default(server: Start, links: Links) -> None:
    """A resource that is looked at now and then; 204 and 304 are answers without an event."""
    replies: list[Reply] = [
        (200, {"ETag": '"a"', "Last-Modified": "Fri, 02 Jan 2026 03:05:05 GMT"}, b'{"id": 1}'),
        (304, {}, b""),
        (204, {}, b""),
        (200, {}, b'{"id": 2}'),
    ]
    feed = await server(lambda asked: replies.pop(0) if replies else (204, {}, b""))
    link, seen = links.poll(feed.url, interval=0.001), list[int]()

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    async with links.running():
        await until(lambda: len(seen) == 2)

    assert seen == [1, 2]
    asked = [(each.headers.get("if-none-match"), each.headers.get("if-modified-since")) for each in feed.asked]
    assert asked[:3] == [
        (None, None),
        ('"a"', "Fri, 02 Jan 2026 03:05:05 GMT"),
        ('"a"', "Fri, 02 Jan 2026 03:05:05 GMT"),
    ]
    assert link.counters.invalid == 0


async def test_a_long_poll_follows_at_once_and_never_spins(server: Start) -> None:
    """After an event the next request goes out at once; a server that holds none is asked at the interval."""
    clock = HandMovedClock()
    links = Links(clock=clock)
    feed = await server(lambda asked: as_json([{"id": len(feed.asked)}] if len(feed.asked) <= 3 else []))
    link = links.poll(PollingSetup(feed.url, interval=30, long_poll=True), events=lambda answer: answer.data)

    @link
    async def handle(event: Event) -> None: ...

    async with links.running():
        await until(lambda: len(feed.asked) >= 6)

    assert set(clock.waits) == {30}
    assert len(clock.waits) == pytest.approx(len(feed.asked) - 3, abs=1)


@pytest.mark.parametrize("told", [{"id": 1}, {"id": "none"}], ids=["a repeat", "no event"])
async def test_a_long_poll_that_brings_nothing_new_does_not_spin(told: Any, server: Start) -> None:
    """A server that forgets the cursor, or answers with a page of its own, is asked at the interval too."""
    clock = HandMovedClock()
    links = Links(clock=clock)
    feed = await server(lambda asked: as_json([told]))
    link = links.poll(PollingSetup(feed.url, interval=30, long_poll=True), events=lambda a: a.data, event_id="id")

    @link
    async def handle(event: Event) -> None: ...

    async with links.running():
        await until(lambda: len(feed.asked) >= 6)

    assert set(clock.waits) == {30}
    assert len(clock.waits) == pytest.approx(len(feed.asked) - 1, abs=1)


async def test_answers_that_cannot_be_used_are_counted_and_skipped(server: Start, links: Links) -> None:
    """Garbage, a missing list, an event of another shape: the link stays up, and says so."""
    replies: list[Reply] = [
        (200, {}, b"\xff not JSON"),
        as_json({"other": []}),
        as_json({"items": "text"}),
        as_json({"items": [{"id": "x"}, {"id": 7}]}),
        as_json({"items": None}),
    ]
    feed = await server(lambda asked: replies.pop(0) if replies else as_json({"items": []}))
    link, seen = links.poll(PollingSetup(feed.url, interval=0.001), events="items"), list[int]()

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    async with links.running():
        await until(lambda: len(feed.asked) > 6)
        assert link.state is LinkState.UP

    assert seen == [7]
    assert link.counters.invalid == 3  # garbage, text, "x"; a field that is not there is a list of nothing
    assert link.status.failures == 0


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_backs_off_for_as_long_as_is_asked(status: int, server: Start, links: Links) -> None:
    """And the link is not up before the first answer."""
    feed = await server(lambda asked: (status, {"Retry-After": "11"}, b""))
    link = links.poll(feed.url, backoff=QUICK)

    async with links.running():
        now = await link.wait_for(LinkState.BACKING_OFF)

        assert now.retry_at is not None
        assert now.retry_at.monotonic - now.since.monotonic == pytest.approx(11, abs=0.02)
        assert now.ups == 0


async def test_refusals_in_a_row_are_a_failure(server: Start, links: Links) -> None:
    """A token that is wrong does not get right."""
    feed = await server(lambda asked: (401, {}, b""))
    link = links.poll(feed.url, backoff=QUICK, fatal=Fatal(tries=2))

    async with links.running():
        await link.wait_for(LinkState.FAILED)

    assert len(feed.asked) == 2


async def test_secrets_do_not_follow_a_redirect(server: Start) -> None:
    """Headers, cookies and parameters of the setup stay with their server; a body is not carried elsewhere at all."""
    other = await server(lambda asked: as_json([]))
    target = [""]
    feed = await server(
        lambda asked: as_json([]) if asked.target.startswith("/home") else (307, {"Location": target[0]}, b"")
    )
    setup = PollingSetup(
        feed.url, headers={"Authorization": "Bearer s3cr3t", "X-Token": "s3cr3t"}, cookies={"sid": "s3cr3t"},
        params={"key": "s3cr3t"},
    )  # fmt: skip
    poller = Poller()

    target[0] = "/home"
    await poller.fetch(setup)
    target[0] = other.url
    answer = await poller.fetch(setup)
    with pytest.raises(DialFailed, match="refused to follow"):
        await poller.fetch(PollingSetup(feed.url, method="POST", json={"password": "s3cr3t"}))
    await poller.aclose()

    assert answer.url == other.url
    assert "s3cr3t" in str(feed.asked[1])
    assert "s3cr3t" not in str(other.asked)
    assert len(other.asked) == 1


async def test_redirects_are_followed_so_far(server: Start) -> None:
    """See other becomes a GET; a loop ends."""
    feed = await server(lambda asked: (303, {"Location": "/loop"}, b""))
    poller = Poller()

    with pytest.raises(DialFailed, match="more than 3 redirects"):
        await poller.fetch(PollingSetup(feed.url, method="POST", content=b"x", max_redirects=3))
    await poller.aclose()

    assert [each.method for each in feed.asked] == ["POST", "GET", "GET", "GET"]


async def test_cookies_of_the_server_are_kept_beside_ours(server: Start) -> None:
    """Sessions of servers that want one."""
    feed = await server(lambda asked: as_json([], **{"Set-Cookie": "theirs=1"}))
    poller, setup = Poller(), PollingSetup(feed.url, cookies={"ours": "2"}, params={"a": "b"})

    await poller.fetch(setup)
    await poller.fetch(setup, {"after": 3})
    await poller.aclose()

    assert feed.asked[0].headers["cookie"] == "ours=2"
    assert feed.asked[1].headers["cookie"] == "theirs=1; ours=2"
    assert feed.asked[1].target == "/events?a=b&after=3"


@pytest.mark.parametrize("name", ["ETag", "Last-Modified", "Set-Cookie"])
async def test_what_cannot_be_sent_back_is_not_kept(name: str, server: Start, links: Links) -> None:
    """One odd header of the server would else fail each later request, for ever."""
    feed = await server(lambda asked: as_json({"id": len(feed.asked)}, **{name: "a=é"}))
    link, seen = links.poll(feed.url, interval=0.001), list[int]()

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    async with links.running():
        await until(lambda: len(seen) == 3)

    assert link.status.failures == 0


async def test_an_answer_that_is_too_long_is_not_read(server: Start) -> None:
    """Counted after decompression: a bomb of some kilobytes is one."""
    bomb = gzip.compress(b"0" * 5_000_000)
    feed = await server(lambda asked: (200, {"Content-Encoding": "gzip"}, bomb))
    poller = Poller()

    with pytest.raises(DialFailed, match="more than 1000000 bytes"):
        await poller.fetch(PollingSetup(feed.url, max_message=1_000_000))
    await poller.aclose()


async def test_a_server_that_answers_nothing_is_given_up(server: Start) -> None:
    """After the read time-out; the reason says so and shows no secrets."""

    async def never(asked: Asked) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    feed = await server(never)
    poller = Poller()

    with pytest.raises(DialFailed) as failed:
        await poller.fetch(PollingSetup(f"{feed.url}?token=s3cr3t", timeouts=Timeouts(read=0.03)))
    await poller.aclose()

    assert failed.value.failure.kind == "timeout"
    assert "s3cr3t" not in str(failed.value)


async def test_a_callable_is_asked_at_each_request(server: Start, links: Links) -> None:
    """It may use the cursor; where it raises, the link backs off with a reason and goes on."""
    feed = await server(lambda asked: as_json({"next": len(feed.asked)}))
    calls = 0

    def setup() -> PollingSetup:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("no token")
        return PollingSetup(f"{feed.url}/{link.cursor}", interval=0.001)

    link = links.poll(setup, cursor="next", start="first", backoff=QUICK)
    link(lambda event: None)

    async with links.running():
        await until(lambda: len(feed.asked) >= 3)

    assert [each.target for each in feed.asked[:3]] == ["/events/first", "/events/1", "/events/2"]
    assert link.status.failures == 1


async def test_a_full_queue_that_closes_leaves_the_cursor(server: Start, links: Links) -> None:
    """What found no room is asked for again; what did is known by its id."""

    def answer(asked: Asked) -> Reply:
        after = int(httpx2.URL(asked.target).params.get("after", 0))
        return as_json({"items": [{"id": number} for number in range(after + 1, 7)], "next": 6})

    feed = await server(answer)
    link = links.poll(
        PollingSetup(feed.url, interval=0.001), events="items", cursor="next", cursor_param="after",
        queue=2, policy="close", event_id="id", backoff=QUICK,
    )  # fmt: skip
    seen: list[int] = []

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    async with links.running():
        await until(lambda: link.cursor == 6)

    assert seen == [1, 2, 3, 4, 5, 6]
    assert link.counters.refused > 0


async def test_nothing_can_be_sent_to_a_peer_that_is_polled(server: Start, links: Links) -> None:
    """The connection is the same object, and says what it cannot do."""
    feed = await server(lambda asked: as_json({"id": 1}))
    link, errors = links.poll(feed.url), list[Exception]()

    @link
    async def try_to_send(connection: Connection, event: Event) -> None:
        try:
            await connection.send("x")
        except (CannotSend, LinkDown) as error:
            errors.append(error)

    async with links.running():
        await until(lambda: errors)
        with pytest.raises(CannotSend, match="link 'polling-1' is of kind 'polling'"):
            await link.send("nothing would ever come for it")
        with pytest.raises(CannotSend):
            await link.call({})

    assert isinstance(errors[0], CannotSend)


def test_what_makes_no_sense_is_refused_where_it_is_written(links: Links) -> None:
    """At registration, with the reason."""
    with pytest.raises(WrongSetup, match="overlap"):
        links.poll("http://h/", overlap=-1)
    with pytest.raises(WrongSetup, match="interval"):
        links.poll(PollingSetup("http://h/"), interval=3)
    with pytest.raises(WrongHandler, match="takes no event"):
        links.poll("http://h/")(hold)


async def hold(connection: Connection) -> None: ...


def test_an_answer_is_data() -> None:
    """What the functions for events and cursor get."""
    answer = Answer(200, httpx2.Headers({"x": "1"}), b"[]", 0.1, "http://h/", [])

    assert (answer.status, answer.headers["x"], answer.data) == (200, "1", [])


async def test_an_answer_without_the_field_that_was_named_is_counted_and_said(
    server: Start, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """A renamed field, or an error with status 200, would look like a quiet day; an empty list, or null, is one."""
    bodies = [
        *({"items": [], "next": 1}, {"items": None, "next": None}, {"itemz": [{"id": 1}], "next": 2}),
        *({"items": [{"id": 1}]}, {"error": "no token"}, {"error": "no token"}),
    ]
    peer = await server(lambda asked: as_json(bodies.pop(0)) if bodies else (204, {}, b""))
    link = links.poll(peer.url, interval=0.001, events="items", cursor="next")
    seen: list[Event] = []

    @link
    async def handle(event: Event) -> None:
        seen.append(event)

    async with links.running():
        await until(lambda: link.counters.incomplete == 4 and seen)  # the last answers may still be on their way
        metrics = links.metrics()

    assert link.counters.incomplete == 4
    assert 'outcome="incomplete"} 4' in metrics
    told = [each.getMessage() for each in caplog.records if "has no field" in each.getMessage()]
    assert told == [
        "link polling-1: an answer has no field 'items' (1 such answers so far)",
        "link polling-1: an answer has no field 'next' (2 such answers so far)",
        "link polling-1: an answer has no field 'items' and no field 'next' (4 such answers so far)",
    ]
    assert link.cursor == 2


async def test_the_headers_of_an_answer_are_found_whatever_their_case(server: Start, links: Links) -> None:
    """Servers write ETag, Etag and etag."""
    peer = await server(lambda asked: as_json({"id": 1}, ETag="1"))
    found: list[str] = []

    @links.poll(peer.url)
    async def handle(connection: Connection, event: Event) -> None:
        found.append(connection.headers["etag"])

    async with links.running():
        await until(lambda: found)

    assert found == ["1"]
