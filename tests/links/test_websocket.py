"""WebSocket servers that we dial: real sockets, real servers, peers that misbehave."""

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from benchmarks.links_peers import reset
from slipstream.links import (
    TLS,
    Backoff,
    CallTimeout,
    Connection,
    Dropped,
    Fatal,
    Link,
    LinkDown,
    Links,
    LinkState,
    OutboxFull,
    PollingSetup,
    Status,
    Timeouts,
    WebSocketSetup,
    WrongSetup,
)
from slipstream.links.polling import Poller
from slipstream.links.websocket import DialFailed, dial

from .support import PATIENCE, QUICK, Event, Peer, until

pytestmark = pytest.mark.anyio
Start = Callable[..., Awaitable[Peer]]


async def listen(connection: ServerConnection) -> None:
    await connection.wait_closed()


def refusing(*answers: tuple[int, dict[str, str]]) -> Callable[[ServerConnection, Request], Response | None]:
    """Refuse handshakes, one answer each; then let through."""
    left = list(answers)

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        if not left:
            return None
        status, headers = left.pop(0)
        response = connection.respond(HTTPStatus(status), "no\n")
        response.headers.update(headers)
        return response

    return admit


async def test_events_are_validated_and_handled_in_order(peer: Start, links: Links) -> None:
    """One typed call an event; what is no event is skipped and counted, and the link lives."""

    async def talk(connection: ServerConnection) -> None:
        for message in ('{"id": 1}', "garbage", '{"id": "x"}', b'{"id": 2, "text": "binary"}', '{"id": 3}'):
            await connection.send(message)
        await connection.wait_closed()

    server = await peer(talk)
    link, seen = links.websocket(server.url, backoff=QUICK), list[Event]()

    @link
    async def handle(event: Event) -> None:
        seen.append(event)

    async with links.running():
        await until(lambda: len(seen) == 3)

    assert [event.id for event in seen] == [1, 2, 3]
    assert seen[1].text == "binary"
    assert (link.counters.received, link.counters.handled, link.counters.invalid) == (5, 3, 2)
    assert link.state is LinkState.CLOSED


@pytest.mark.parametrize("way", ["close", "FIN", "RST", "half-open", "garbage", "no UTF-8", "too big", "20 MiB"])
async def test_whatever_ends_a_connection_the_link_dials_again(way: str, peer: Start, links: Links) -> None:
    """And says why it was away."""
    held = []

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        if server.server.connections and link.status.ups > 1:
            await connection.wait_closed()
        elif way == "close":
            await connection.close(1012, "bye\nbye")
        elif way == "FIN":
            connection.transport.close()
        elif way == "RST":
            reset(connection.transport)
        elif way == "half-open":
            connection.transport.pause_reading()
            held.append(connection)
            await connection.wait_closed()
        elif way == "garbage":
            connection.transport.write(b"\xff\xff garbage")
            await connection.wait_closed()
        elif way == "no UTF-8":
            connection.transport.write(b"\x81\x01\xff")
            await connection.wait_closed()
        elif way == "20 MiB":
            connection.transport.write(b"\x82\x7f" + (20 * 2**20).to_bytes(8, "big"))
            await connection.wait_closed()
        else:
            await connection.send("x" * 2000)
            await connection.wait_closed()

    server = await peer(talk)
    setup = WebSocketSetup(server.url, ping_interval=0.03, ping_timeout=0.03, max_message=1000)
    link, reasons = links.websocket(setup, backoff=QUICK), list[str]()

    @link.opened
    async def hello(connection: Connection) -> None:
        await connection.send("hello")

    @link.on_change
    def note(link: Link, old: Any, new: Any) -> None:
        if new.state is LinkState.BACKING_OFF:
            reasons.append(new.reason)

    async with links.running():
        await until(lambda: link.status.ups == 2)
        for each in held:
            each.transport.abort()

    expected = {
        "close": "the peer closed with 1012 bye\\x0abye",
        "FIN": "the connection was lost",
        "RST": "the connection was lost",
        "half-open": "no answer to a ping within 0.03 seconds",
        "garbage": "we closed with 1002",
        "no UTF-8": "we closed with 1007",
        "20 MiB": "we closed with 1009",
        "too big": "we closed with 1009",
    }
    assert reasons[0].startswith(expected[way])


async def test_a_slow_handler_does_not_look_like_a_dead_peer(peer: Start, links: Links) -> None:
    """While we leave frames unread, the answer to a ping stands behind them; the connection has to stay."""

    async def talk(connection: ServerConnection) -> None:
        for number in range(60):
            await connection.send(json.dumps({"id": number, "text": "x" * 60_000}))
        await connection.wait_closed()

    server = await peer(talk)
    setup = WebSocketSetup(server.url, ping_interval=0.03, ping_timeout=0.01, compression=False)
    link, seen, go = links.websocket(setup, backoff=QUICK, queue=1), list[int](), asyncio.Event()

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)
        await go.wait()

    async with links.running():
        await until(lambda: seen)
        await asyncio.sleep(0.15)  # many pings long
        assert link.state is LinkState.UP
        go.set()
        await until(lambda: len(seen) == 60)

    assert seen == list(range(60))
    assert link.status.ups == 1


async def test_refusals_in_a_row_end_in_a_visible_failure(
    peer: Start, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong token ends in a state with its reason, in the log and in the hooks, and can be revived."""
    server = await peer(listen, process_request=refusing(*[(401, {})] * 3))
    link = links.websocket(server.url, name="bot", backoff=QUICK, fatal=Fatal(tries=3))
    changes: list[LinkState] = []

    @links.on_change
    async def note(link: Link, old: Any, new: Any) -> None:
        changes.append(new.state)

    async with links.running():
        await link.wait_for(LinkState.FAILED)
        assert link.status.reason == "the server answered 401, 3 times in a row"
        assert not links.is_healthy
        assert link.counters.attempts == 3
        with pytest.raises(LinkDown, match="401"):
            await link.call({})
        link.restart()
        await link.wait_for(LinkState.UP)
        assert links.is_healthy

    assert LinkState.FAILED in changes
    assert any(record.levelno == logging.ERROR and "401" in record.getMessage() for record in caplog.records)


async def test_a_fatal_close_code_is_not_dialled_again(peer: Start, links: Links) -> None:
    """Some protocols say: you are not wanted."""

    async def talk(connection: ServerConnection) -> None:
        await connection.close(4004, "invalid token")

    server = await peer(talk)
    link = links.websocket(server.url, backoff=QUICK, fatal=Fatal(close_codes=frozenset({4004})))

    async with links.running():
        await link.wait_for(LinkState.FAILED)

    assert link.counters.attempts == 1


async def test_what_the_server_asks_for_is_waited(peer: Start, links: Links) -> None:
    """A `Retry-After` on a 503 is kept, and the log says how long."""
    server = await peer(listen, process_request=refusing((503, {"Retry-After": "7"})))
    link = links.websocket(server.url, backoff=QUICK)

    async with links.running():
        status = await link.wait_for(LinkState.BACKING_OFF)
        assert status.retry_at is not None
        assert 7 <= status.retry_at.monotonic - status.since.monotonic < 7.02
        assert status.reason == "the server answered 503"
        link.restart()  # nobody has to wait for it
        await link.wait_for(LinkState.UP)


async def test_a_server_that_is_not_there_is_tried_for_ever(links: Links, unused_port: int) -> None:
    """Without spinning, and with a reason."""
    link = links.websocket(f"ws://127.0.0.1:{unused_port}/", backoff=QUICK)

    async with links.running():
        await until(lambda: link.status.failures >= 5)
        assert "cannot connect" in link.status.reason or link.status.reason.startswith("attempt")


async def test_the_setup_is_asked_for_at_each_attempt(peer: Start, links: Links) -> None:
    """Fresh tokens, other addresses; a function that raises is another reason to wait."""
    paths: list[str] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request
        paths.append(connection.request.path)
        await connection.close()

    server = await peer(talk)
    asked = 0

    async def setup() -> WebSocketSetup:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise KeyError("no token yet")
        return WebSocketSetup(f"{server.url}?token={asked}")

    links.websocket(setup, backoff=QUICK)

    async with links.running():
        await until(lambda: len(paths) >= 2)

    assert paths[:2] == ["/feed?token=1", "/feed?token=3"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "the function gave NoneType, expected {expected}"),
        ("ws://h/", "the function gave str, expected {expected}"),
        (RuntimeError("s3cr3t"), "RuntimeError"),
        (WrongSetup("url", "h", "ws://host"), "url='h' is not possible: expected ws://host"),
    ],
    ids=["nothing", "an address", "an error", "an error of ours"],
)
@pytest.mark.parametrize("kind", ["websocket", "polling"])
async def test_a_function_that_gives_no_setup_is_asked_again_and_the_reason_told(
    kind: str, given: Any, reason: str, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """In the status in a line; what the function raised is in the log, where it came from with it."""

    def setup() -> Any:
        if isinstance(given, Exception):
            raise given
        return given

    declare, expected = (links.websocket, "WebSocketSetup") if kind == "websocket" else (links.poll, "PollingSetup")
    link = declare(setup, backoff=QUICK)

    async with links.running():
        status = await link.wait_for(LinkState.BACKING_OFF)
        await until(lambda: link.status.failures > 1)

    assert status.reason == f"the setup could not be made: {reason.format(expected=expected)}"
    assert ("in setup" in caplog.text) == isinstance(given, RuntimeError)
    assert "nobody foresaw" not in caplog.text


async def test_a_certificate_that_has_gone_is_named(
    tmp_path: Path, certificate: Path, unused_port: int, links: Links
) -> None:
    """It may come back, so the link goes on; the reason says which file it misses."""
    mine = tmp_path / "mine.pem"
    mine.write_bytes(certificate.read_bytes())
    setup = WebSocketSetup(f"wss://127.0.0.1:{unused_port}/", tls=TLS(ca_file=str(mine)))
    mine.unlink()

    with pytest.raises(DialFailed, match=r"mine\.pem"):
        await dial(setup)
    with pytest.raises(DialFailed, match=r"mine\.pem"):
        await Poller().fetch(PollingSetup(f"https://127.0.0.1:{unused_port}/", tls=setup.tls))


async def test_the_handshake_says_what_the_setup_says(peer: Start) -> None:
    """Headers once each, one Host, cookies, sub-protocols; the peer's headers can be read."""
    requests: list[Request] = []

    def admit(connection: ServerConnection, request: Request) -> None:
        requests.append(request)

    server = await peer(listen, process_request=admit, subprotocols=["v2", "v1"])
    setup = WebSocketSetup(
        server.url,
        headers={"Authorization": "Bearer x", "Host": "other.example", "Connection": "close", "Cookie": "a=1"},
        cookies={"b": "2"},
        subprotocols=("v1",),
    )

    socket = await dial(setup)
    await socket.close()

    headers = requests[0].headers
    assert headers.get_all("Host") == ["other.example"]
    assert headers["Authorization"] == "Bearer x"
    assert headers.get_all("Cookie") == ["a=1; b=2"]
    assert headers["Connection"] == "Upgrade"
    assert socket.subprotocol == "v1"


async def test_secrets_do_not_follow_a_redirect(peer: Start) -> None:
    """Another port is another peer: it gets neither headers nor cookies; the same one gets all."""
    requests: list[Request] = []

    def note(connection: ServerConnection, request: Request) -> None:
        requests.append(request)

    other = await peer(listen, process_request=note)

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        requests.append(request)
        response = connection.respond(HTTPStatus.FOUND, "")
        response.headers["Location"] = "/again" if len(requests) == 1 else other.url
        return response

    server = await peer(listen, process_request=admit)

    socket = await dial(WebSocketSetup(server.url, headers={"X-Token": "s3cr3t"}, cookies={"sid": "s3cr3t"}))
    await socket.close()

    assert ["s3cr3t" in str(request.headers) for request in requests] == [True, True, False]


@pytest.mark.parametrize(
    ("location", "reason"), [("/loop", "more than 2 redirects"), ("ftp://h/", "refused to follow")]
)
async def test_redirects_that_lead_nowhere_are_not_followed(location: str, reason: str, peer: Start) -> None:
    """A loop ends; another kind of address is not tried."""
    server = await peer(listen, process_request=refusing(*[(302, {"Location": location})] * 9))

    with pytest.raises(DialFailed, match=reason):
        await dial(WebSocketSetup(server.url, max_redirects=2))


async def test_a_function_may_say_how_long_to_wait_after_its_attempt(peer: Start) -> None:
    """Whoever gives the address also knows how impatient to be with it."""
    server, waits = await peer(listen, process_request=refusing(*[(503, {})] * 3)), []
    links = Links(random=lambda: 0.5)
    link = links.websocket(lambda: WebSocketSetup(server.url, backoff=Backoff(first=0.004, limit=0.008)))

    @link.on_change
    def note(link: Link, old: Status, new: Status) -> None:
        if new.retry_at is not None:
            waits.append(round(new.retry_at.monotonic - new.since.monotonic, 4))

    async with links.running():
        await link.wait_for(LinkState.UP)

    assert waits == [0.002, 0.004, 0.004]


async def test_certificates_are_verified_and_ours_is_shown(peer: Start, certificate: Path) -> None:
    """An unknown authority is refused by default; a client certificate reaches a server that asks for one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
    server = await peer(listen, ssl=context)
    url = f"wss://localhost:{server.port}/"

    with pytest.raises(DialFailed) as refused:
        await dial(WebSocketSetup(url))
    assert refused.value.failure.kind == "tls"
    tls = TLS(ca_file=str(certificate), certificate=str(certificate))
    socket = await dial(WebSocketSetup(url, tls=tls))
    await socket.close()


async def test_events_can_be_handled_side_by_side(peer: Start, links: Links) -> None:
    """With `concurrency`, so many at once and no more; order is then given up."""

    async def talk(connection: ServerConnection) -> None:
        for number in range(6):
            await connection.send(json.dumps({"id": number}))
        await connection.wait_closed()

    server = await peer(talk)
    link, running, most, go = links.websocket(server.url, concurrency=3), 0, 0, asyncio.Event()

    @link
    async def handle(event: Event) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1

    async with links.running():
        await until(lambda: link.counters.received == 6)
        await until(lambda: running == 3)
        go.set()
        await until(lambda: link.counters.handled == 6)

    assert most == 3


async def test_an_id_that_cannot_be_read_costs_its_event_only(peer: Start, links: Links) -> None:
    """A function that the program wrote may raise, or give what cannot be remembered."""

    async def talk(connection: ServerConnection) -> None:
        for text in ('{"id": 1}', '{"id": 2, "text": "list"}', '{"id": 3, "text": "raise"}', '{"id": 4}'):
            await connection.send(text)
        await connection.wait_closed()

    def where(event: Event) -> Any:
        return {"": event.id, "list": [], "raise": None}[event.text] if event.text != "raise" else 1 / 0

    server = await peer(talk)
    link, seen = links.websocket(server.url, event_id=where), list[int]()
    link(lambda event: None)

    @link
    def handle(event: Event) -> None:
        seen.append(event.id)

    async with links.running():
        await until(lambda: len(seen) == 2)

    assert seen == [1, 4]
    assert link.counters.invalid == 2


async def test_a_conversation_that_does_not_end_is_cancelled(
    peer: Start, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that waits for something else must not keep the link from dialling again."""
    monkeypatch.setattr("slipstream.links.serving.GRACE", 0.01)

    async def talk(connection: ServerConnection) -> None:
        await connection.close()

    server = await peer(talk)
    link, talks = links.websocket(server.url, backoff=QUICK), list[int]()

    @link
    async def hold(connection: Connection) -> None:
        talks.append(1)
        await asyncio.Event().wait()

    async with links.running():
        await until(lambda: len(talks) >= 3)


async def test_a_peer_that_never_answers_the_handshake_is_given_up(silent_port: int) -> None:
    """The time-out is one for name, TCP, TLS and handshake together."""
    setup = WebSocketSetup(f"ws://127.0.0.1:{silent_port}/", timeouts=Timeouts(connect=0.05))

    with pytest.raises(DialFailed) as failed:
        await dial(setup)

    assert failed.value.failure.kind == "timeout"


async def test_what_is_sent_while_down_is_kept_and_sent_in_order(peer: Start, links: Links) -> None:
    """After the opened hook has logged in, before anything newer."""
    heard: list[str] = []
    link = links.websocket(lambda: WebSocketSetup(server.url), name="feed", backoff=QUICK, outbox=3)
    dropped: list[Dropped] = []

    async def talk(connection: ServerConnection) -> None:
        async for message in connection:
            heard.append(str(message))

    server = await peer(talk)

    @link.opened
    async def login(connection: Connection) -> None:
        assert await link.send("while opening") is False
        await connection.send("login")

    @link.on_drop
    def note(link: Link, gone: list[Dropped]) -> None:
        dropped.extend(gone)

    for number in range(4):
        assert await link.send({"n": number}) is False

    async with links.running():
        await link.wait_for(LinkState.UP)
        assert await link.send("later") in (True, False)
        await until(lambda: "later" in heard)

    assert heard == ["login", '{"n":2}', '{"n":3}', "while opening", "later"]
    assert [each.data for each in dropped] == ['{"n":0}', '{"n":1}']
    assert link.counters.outbox_dropped == 2


async def test_a_full_outbox_can_refuse(links: Links) -> None:
    """For whoever wants to know at once."""
    link = links.websocket("ws://127.0.0.1:1/", outbox=1, outbox_policy="refuse")
    await link.send("kept")

    with pytest.raises(OutboxFull):
        await link.send("refused")


async def test_what_an_outbox_still_holds_at_shutdown_is_told(links: Links, unused_port: int) -> None:
    """A message that will never be sent is not forgotten in silence."""
    link, dropped = links.websocket(f"ws://127.0.0.1:{unused_port}/", backoff=QUICK), list[Dropped]()
    link.on_drop(lambda link, gone: dropped.extend(gone))

    async with links.running():
        await link.send("never")

    assert [(each.data, each.reason) for each in dropped] == [("never", "shutdown")]


async def test_calls_find_their_replies_and_fail_at_once_at_a_drop(peer: Start, links: Links) -> None:
    """Replies are no events; a call under way when the line breaks does not wait for its time-out."""

    async def talk(connection: ServerConnection) -> None:
        async for message in connection:
            call = json.loads(message)
            if call["do"] == "die":
                connection.transport.abort()
            elif call["do"] != "nothing":
                await connection.send('{"id": 5}')
                await connection.send(json.dumps({"echo": call["echo"], "did": call["do"]}))

    server = await peer(talk)
    link, seen = links.websocket(server.url, backoff=QUICK, reply_id="echo", call_timeout=60), list[int]()

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    async with links.running():
        await link.wait_for(LinkState.UP)
        assert (await link.call({"do": "it"}))["did"] == "it"
        assert (await link.call({"do": "that", "echo": "mine"}))["echo"] == "mine"
        with pytest.raises(CallTimeout):
            await link.call({"do": "nothing"}, within=0.02)
        async with asyncio.timeout(5):
            with pytest.raises(LinkDown):
                await link.call({"do": "die"})

    assert seen == [5, 5]
    assert (link.counters.calls, link.counters.calls_failed, link.counters.invalid) == (4, 2, 0)


async def test_a_handler_can_call_though_its_queue_is_full(peer: Start, links: Links) -> None:
    """The reply stands behind events that find no room: the queue gives way, and the call does not hang."""

    async def talk(connection: ServerConnection) -> None:
        for number in range(8):
            await connection.send(json.dumps({"id": number}))
        async for message in connection:
            await connection.send(json.dumps({"echo": json.loads(message)["echo"]}))

    server = await peer(talk)
    link, seen = links.websocket(server.url, backoff=QUICK, reply_id="echo", queue=4), list[int]()

    @link
    async def handle(connection: Connection, event: Event) -> None:
        await connection.call({"about": event.id}, within=5)
        seen.append(event.id)

    async with links.running():
        await until(lambda: len(seen) == 8)

    assert link.counters.failed == 0


async def test_a_handler_that_raises_costs_its_event_only(peer: Start, links: Links) -> None:
    """Logged, counted; the next event is handled. So is a task of its own that it lost to a cancellation."""

    async def talk(connection: ServerConnection) -> None:
        for number in range(4):
            await connection.send(json.dumps({"id": number}))
        await connection.wait_closed()

    server = await peer(talk)
    link, seen = links.websocket(server.url, backoff=QUICK), list[int]()

    @link
    async def handle(event: Event) -> None:
        if event.id == 0:
            raise RuntimeError("boom")
        if event.id == 1:
            raise asyncio.CancelledError
        seen.append(event.id)

    async with links.running():
        await until(lambda: len(seen) == 2)

    assert (seen, link.counters.failed, link.status.ups) == ([2, 3], 2, 1)


async def test_repeats_are_passed_over_and_resuming_starts_after_the_last(peer: Start, links: Links) -> None:
    """A peer that sends some events again after a drop does not make us handle them twice."""
    resumed: list[Any] = []

    async def talk(connection: ServerConnection) -> None:
        after = json.loads(await connection.recv())["after"]
        resumed.append(after)
        start = max(0, (after or 0) - 2)
        for number in range(start + 1, start + 6):
            await connection.send(json.dumps({"id": number}))
        await (connection.close() if len(resumed) < 3 else connection.wait_closed())

    server = await peer(talk)
    link, seen = links.websocket(server.url, backoff=QUICK, event_id="id"), list[int]()
    link.resume_from(3)

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    @link.opened
    async def resume(connection: Connection) -> None:
        await connection.send({"after": connection.last_id})

    async with links.running():
        await until(lambda: len(seen) >= 9)

    assert resumed[:3] == [3, 6, 9]
    assert seen == [2, *range(4, 13)][: len(seen)]
    assert link.handled_id == seen[-1]
    assert link.counters.duplicates > 0


async def test_a_conversation_holds_the_connection(peer: Start, links: Links) -> None:
    """A handler without an event reads the messages itself; at its end the link dials again."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send("name?")
        name = await connection.recv()
        await connection.send(f"hello {name}")
        await connection.send(b"bytes")
        await connection.wait_closed()

    server = await peer(talk)
    link, heard = links.websocket(server.url, backoff=QUICK), list[Any]()

    @link
    async def hold(connection: Connection) -> None:
        assert await connection.receive() == "name?"
        await connection.send("me")
        async for message in connection:
            heard.append(message)
            if message == b"bytes":
                return

    async with links.running():
        await until(lambda: len(heard) >= 4)

    assert heard[:4] == ["hello me", b"bytes"] * 2


async def test_a_conversation_ends_with_its_connection(peer: Start, links: Links) -> None:
    """Iteration stops, `receive` raises, and the next connection starts a new conversation."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send("one")
        await connection.close()

    server = await peer(talk)
    link, talks = links.websocket(server.url, backoff=QUICK), list[list[Any]]()

    @link
    async def hold(connection: Connection) -> None:
        talks.append([message async for message in connection])
        with pytest.raises(LinkDown):
            await connection.receive()
        with pytest.raises(LinkDown):
            await connection.send("too late")

    async with links.running():
        await until(lambda: len(talks) >= 2)

    assert talks[0] == ["one"]


@pytest.mark.parametrize("way", ["raises", "hangs"])
async def test_a_hook_that_fails_is_one_more_reason_to_dial_again(way: str, peer: Start, links: Links) -> None:
    """The link is not up before its hook has succeeded; the peer is told by 1011."""
    codes: list[int | None] = []

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append(connection.close_code)

    server = await peer(talk)
    link, tries = links.websocket(server.url, backoff=QUICK, opened_timeout=0.05), list[int]()

    @link.opened
    async def login(connection: Connection) -> None:
        tries.append(1)
        if len(tries) < 3 and way == "raises":
            raise RuntimeError("not yet")
        if len(tries) < 3:
            await asyncio.Event().wait()

    async with links.running():
        await link.wait_for(LinkState.UP)
        assert len(tries) == 3
        assert link.status.ups == 1
        await until(lambda: len(codes) == 2)

    assert codes[:2] == [1011, 1011]


@pytest.mark.parametrize(("policy", "lost"), [("drop_oldest", True), ("close", False)])
async def test_a_full_queue_follows_its_policy(policy: Any, lost: bool, peer: Start, links: Links) -> None:
    """Dropped and counted, or closed with 1013 and sent again by a peer that resumes."""
    codes: list[int | None] = []

    async def talk(connection: ServerConnection) -> None:
        number = json.loads(await connection.recv())["after"] or 0
        while number < 20:
            number += 1
            await connection.send(json.dumps({"id": number}))
            await begun.wait()
        await connection.wait_closed()
        codes.append(connection.close_code)

    server = await peer(talk)
    link = links.websocket(server.url, backoff=QUICK, queue=4, policy=policy, event_id="id")
    seen, begun, go = list[int](), asyncio.Event(), asyncio.Event()

    @link
    async def handle(event: Event) -> None:
        begun.set()
        await go.wait()
        seen.append(event.id)

    @link.opened
    async def resume(connection: Connection) -> None:
        await connection.send({"after": connection.last_id})

    async with links.running():
        await until(lambda: link.counters.dropped >= 15 if lost else link.status.failures >= 1)
        go.set()
        await until(lambda: 20 in seen)

    if lost:
        assert seen[-4:] == [17, 18, 19, 20]
        assert len(seen) == 5
        assert link.counters.dropped == 15
    else:
        assert seen == list(range(1, 21))
        assert 1013 in codes


@pytest.mark.parametrize(("code", "reason"), [(99, ""), (1005, ""), (5000, ""), (4000, "é" * 62)])
async def test_a_close_frame_that_cannot_be_is_an_error_and_no_end(
    code: int, reason: str, peer: Start, links: Links
) -> None:
    """The connection goes on, and its end is told as what it is."""
    server = await peer(listen)
    link = links.websocket(server.url, backoff=QUICK)

    async with links.running():
        await link.wait_for(LinkState.UP)
        assert link.connection is not None
        with pytest.raises(WrongSetup):
            await link.connection.close(code, reason)
        assert link.connection.is_open
        next(iter(server.server.connections)).transport.abort()
        assert (await link.wait_for(LinkState.BACKING_OFF)).reason.startswith("the connection was lost")


async def test_silence_can_end_a_connection(peer: Start, links: Links) -> None:
    """For peers that should say something: their pings alone prove nothing."""
    server = await peer(listen)
    link = links.websocket(WebSocketSetup(server.url, timeouts=Timeouts(silence=0.02)), backoff=QUICK)

    async with links.running():
        await until(lambda: link.status.failures >= 2)

    assert link.counters.attempts >= 2


async def test_a_peer_that_takes_nothing_is_cut_off(peer: Start, links: Links) -> None:
    """A stalled write must not hold its sender for ever."""

    async def talk(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        stalled.append(connection)
        await connection.wait_closed()

    stalled: list[ServerConnection] = []
    server = await peer(talk)
    setup = WebSocketSetup(server.url, timeouts=Timeouts(write=0.05), compression=False, ping_interval=None)
    link = links.websocket(setup, backoff=QUICK)

    async with links.running():
        await link.wait_for(LinkState.UP)
        with pytest.raises(LinkDown, match="takes nothing"):
            await link.send("x" * 100_000_000)
        assert link.counters.unsure == 1
        for each in stalled:
            each.transport.abort()


async def test_a_peer_that_takes_nothing_does_not_hold_up_the_shutdown(peer: Start, links: Links) -> None:
    """The close frame stands behind what the peer does not take, and whoever sent that has given up."""

    async def talk(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        stalled.append(connection)
        await connection.wait_closed()

    stalled: list[ServerConnection] = []
    server = await peer(talk)
    timeouts = Timeouts(write=None, close=0.05)
    link = links.websocket(WebSocketSetup(server.url, timeouts=timeouts, compression=False, ping_interval=None))

    async with asyncio.timeout(PATIENCE):
        async with links.running():
            await link.wait_for(LinkState.UP)
            sending = asyncio.ensure_future(link.send("x" * 20_000_000))
            await until(lambda: link.session().connection.wire.is_full)  # type: ignore[union-attr]
            sending.cancel()
            await asyncio.wait({sending})
    for each in stalled:
        each.transport.abort()


async def test_a_peer_that_takes_no_ping_is_cut_off(peer: Start, links: Links) -> None:
    """The ping itself stands behind what the peer does not take, so no answer to it is ever due."""

    async def talk(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        stalled.append(connection)
        await connection.wait_closed()

    stalled: list[ServerConnection] = []
    server = await peer(talk)
    setup = WebSocketSetup(
        server.url, timeouts=Timeouts(write=None), compression=False, ping_interval=0.2, ping_timeout=0.05
    )
    link = links.websocket(setup, backoff=QUICK)

    @link.opened
    async def opened(connection: Connection) -> None:
        if not sending:
            sending.append(asyncio.ensure_future(connection.send("x" * 20_000_000)))

    sending: list[asyncio.Future[None]] = []
    async with links.running():
        await until(lambda: link.status.failure is not None)
        assert link.status.failure is not None
        assert link.status.failure.kind == "silent"
        await asyncio.wait(sending)
        for each in stalled:
            each.transport.abort()


async def test_a_polite_goodbye_and_handlers_that_may_finish(peer: Start, links: Links) -> None:
    """At shutdown nothing new is taken; what is queued is handled and can still be answered; then 1001."""
    heard: list[str] = []
    codes: list[int | None] = []

    async def talk(connection: ServerConnection) -> None:
        for number in range(3):
            await connection.send(json.dumps({"id": number}))
        async for message in connection:
            heard.append(str(message))
            await connection.send('{"id": 99}')
        codes.append(connection.close_code)

    server = await peer(talk)
    link, go = links.websocket(server.url, backoff=QUICK), asyncio.Event()

    @link
    async def handle(connection: Connection, event: Event) -> None:
        await go.wait()
        await connection.send(f"done {event.id}")

    async with links.running():
        await until(lambda: link.counters.received == 3)
        asyncio.get_running_loop().call_later(0.02, go.set)

    assert heard == ["done 0", "done 1", "done 2"]
    assert codes == [1001]
    assert (link.counters.handled, link.counters.lost) == (3, 0)
    assert link.counters.refused == link.counters.received - 3


async def test_what_cannot_be_drained_in_time_is_counted(peer: Start, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that hangs is cancelled at the deadline; every event has a place in the count."""
    links = Links(drain=0.02)

    async def talk(connection: ServerConnection) -> None:
        for number in range(5):
            await connection.send(json.dumps({"id": number}))
        await connection.wait_closed()

    server = await peer(talk)
    link = links.websocket(server.url, backoff=QUICK)

    @link
    async def handle(event: Event) -> None:
        if event.id:
            await asyncio.Event().wait()

    async with links.running():
        await until(lambda: link.counters.received == 5)

    assert (link.counters.handled, link.counters.lost) == (1, 4)
    assert "4 events received and not handled" in caplog.text


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
async def silent_port() -> Any:
    """A server that accepts and says nothing."""
    peers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda reader, writer: peers.append(writer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for each in peers:
        each.transport.abort()
    server.close()
    await server.wait_closed()
