"""What belongs to one connection: its login, the tasks beside it, the hook after it, the pace of what is sent."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from slipstream import FastAPI
from slipstream.links import CannotReceive, Connection, LinkDown, Links, LinkState, WrongHandler
from slipstream.testclient import TestClient
from slipstream.websockets import WebSocketDisconnect

from .support import QUICK, Event, Peer, SteppedClock, until

pytestmark = pytest.mark.anyio
Start = Callable[..., Awaitable[Peer]]


class Platform:
    """A gateway that greets, wants to know who is there, answers, and sends events, some of them before its answer."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.codes: list[int | None] = []
        self.may_answer = asyncio.Event()

    async def talk(self, connection: ServerConnection) -> None:
        try:
            await connection.send('{"hello": 45}')
            self.came.append(str(await connection.recv()))
            await connection.send('{"id": 1}')
            await self.may_answer.wait()
            await connection.send('{"welcome": true}')
            await connection.send('{"id": 2}')
            while True:
                self.came.append(str(await connection.recv()))
        except ConnectionClosed:
            self.codes.append(connection.close_code)


async def test_a_login_may_wait_for_answers_and_nothing_overtakes_it(peer: Start, links: Links) -> None:
    """The outbox stays, a broadcast passes by, the link is not up; the events that came meanwhile are not lost."""
    platform, order = Platform(), list[object]()
    server = await peer(platform.talk)
    link = links.websocket(server.url, backoff=QUICK, event_id="id")

    @link.login
    async def log_in(connection: Connection) -> None:
        assert json.loads(await connection.receive()) == {"hello": 45}
        await connection.send("identify")
        early = json.loads(await connection.receive())
        assert early == {"id": 1}
        order.append("early")
        assert json.loads(await connection.receive()) == {"welcome": True}
        order.append("logged in")

    @link.opened
    async def opened(connection: Connection) -> None:
        order.append("opened")

    @link
    async def handle(connection: Connection, event: Event) -> None:
        order.append(event.id)

    async with links.running():
        assert await link.send("kept") is False
        await until(lambda: "early" in order)
        assert link.state is LinkState.CONNECTING
        assert await link.broadcast("to all") == 0
        assert await link.send("kept too") is False
        with pytest.raises(LinkDown):
            await link.call({})
        platform.may_answer.set()
        await link.wait_for(LinkState.UP)
        await until(lambda: len(platform.came) == 3 and 2 in order)

    assert platform.came == ["identify", "kept", "kept too"]
    assert sorted(map(str, order)) == ["2", "early", "logged in", "opened"]
    assert order[:2] == ["early", "logged in"]
    counters = link.counters
    assert (counters.received, counters.handled, counters.invalid) == (4, 4, 0)


@pytest.mark.parametrize("policy", ["wait", "drop_oldest"])
async def test_what_a_login_leaves_unread_goes_to_the_handler_in_order(policy: Any, peer: Start, links: Links) -> None:
    """However much it is, and whatever else comes while it is handed on."""

    async def talk(connection: ServerConnection) -> None:
        for number in range(300):
            await connection.send(f'{{"id": {number}}}')
            if number == 50:
                await connection.recv()
        await connection.wait_closed()

    server, seen = await peer(talk), list[int]()
    link = links.websocket(server.url, queue=7 if policy == "wait" else 1000, policy=policy)

    @link.login
    async def log_in(connection: Connection) -> None:
        await connection.receive()
        await until(lambda: link.counters.received >= 9)
        await connection.send("go on")

    @link
    async def handle(event: Event) -> None:
        await asyncio.sleep(0)
        seen.append(event.id)

    async with links.running():
        await until(lambda: len(seen) == 299)

    assert seen == list(range(1, 300))
    assert link.counters.received == link.counters.handled == 300


@pytest.mark.parametrize("way", ["raises", "hangs", "another link is down"])
async def test_a_login_that_fails_ends_the_connection_and_says_so(way: str, peer: Start, links: Links) -> None:
    """With 1011, and the next attempt comes; the link was never up."""
    platform = Platform()
    server = await peer(platform.talk)
    link = links.websocket(server.url, backoff=QUICK, login_timeout=0.05)
    other = links.websocket("ws://127.0.0.1:1", name="other")
    ended: list[Connection] = []
    link.closed(ended.append)

    @link.login
    async def log_in(connection: Connection) -> None:
        if len(ended) > 1:
            return
        if way == "another link is down":
            await other.call({})
        while way == "hangs":
            await connection.receive()
        raise ValueError("no password")

    async with links.running():
        await until(lambda: len(ended) == 2)
        assert link.status.ups == 0
        await link.wait_for(LinkState.UP)

    error = {"raises": "ValueError", "hangs": "TimeoutError", "another link is down": "LinkDown"}[way]
    assert (failure := ended[0].failure) is not None
    assert (failure.kind, failure.text, failure.code, failure.side) == (
        "login",
        f"the login failed: {error}",
        1011,
        "us",
    )
    assert platform.codes[:2] == [1011, 1011]


async def test_a_connection_that_ends_during_the_login_ends_by_what_the_peer_said(peer: Start, links: Links) -> None:
    """4004 for a wrong token is the peer's word, and no failure of the login function."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send("no")
        await connection.close(4004, "who are you?")

    server, heard = await peer(talk), list[object]()
    link = links.websocket(server.url)

    @link.login
    async def log_in(connection: Connection) -> None:
        heard.append(await connection.receive())
        try:
            await connection.receive()
        except LinkDown as down:
            heard.append(type(down))
            raise

    async with links.running():
        status = await link.wait_for(LinkState.BACKING_OFF)

    assert heard == ["no", LinkDown]
    assert (failure := status.failure) is not None
    assert (failure.kind, failure.code, failure.reason) == ("closed", 4004, "who are you?")


async def test_a_handler_that_holds_the_connection_reads_on_where_the_login_stopped(peer: Start, links: Links) -> None:
    """One stream of messages, two functions."""
    platform, read = Platform(), list[str | bytes]()
    platform.may_answer.set()
    server = await peer(platform.talk)
    link = links.websocket(server.url)

    @link.login
    async def log_in(connection: Connection) -> None:
        read.append(await connection.receive())
        await connection.send("me")

    @link
    async def talk(connection: Connection) -> None:
        async for message in connection:
            read.append(message)

    async with links.running():
        await until(lambda: len(read) == 4)

    assert read == ['{"hello": 45}', '{"id": 1}', '{"welcome": true}', '{"id": 2}']


def test_a_peer_that_dials_us_may_have_to_log_in_too() -> None:
    """Its first message says who it is; what it sends after that is an event."""
    app, seen = FastAPI(), list[int]()
    link = Links(app).accept("/ws")

    @link.login
    async def log_in(connection: Connection) -> None:
        if json.loads(await connection.receive())["token"] != "right":
            await connection.close(4004, "no")
            return
        await connection.send("welcome")

    @link
    async def handle(connection: Connection, event: Event) -> None:
        seen.append(event.id)
        await connection.send("seen")

    with TestClient(app) as client:
        with client.websocket_connect("/ws") as socket:
            socket.send_json({"token": "right"})
            socket.send_json({"id": 1})
            assert [socket.receive_text(), socket.receive_text()] == ["welcome", "seen"]
        with client.websocket_connect("/ws") as socket:
            socket.send_json({"token": "wrong"})
            with pytest.raises(WebSocketDisconnect) as ended:
                socket.receive_text()

    assert (ended.value.code, seen) == (4004, [1])


@pytest.mark.parametrize("place", ["opened", "handler", "iteration"])
async def test_receiving_where_events_are_handled_one_by_one_says_what_is_wrong(
    place: str, peer: Start, links: Links
) -> None:
    """The connection is open; "down" would send its author to look for a network that is broken."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send('{"id": 1}')
        await connection.wait_closed()

    server, said = await peer(talk), list[str]()
    link = links.websocket(server.url)

    async def receive(connection: Connection) -> None:
        try:
            if place == "iteration":
                async for _ in connection:
                    pass
            await connection.receive()
        except CannotReceive as error:
            said.append(str(error))

    @link.opened
    async def opened(connection: Connection) -> None:
        if place == "opened":
            await receive(connection)

    @link
    async def handle(connection: Connection, event: Event) -> None:
        if place != "opened":
            await receive(connection)

    async with links.running():
        await until(lambda: said)

    assert "go to the link's handler, one by one: receive in a `login` function" in said[0]


async def test_a_heartbeat_lives_and_ends_with_its_connection(peer: Start, links: Links) -> None:
    """The platform's own, above WebSocket's pings: none goes on beside the next connection's."""
    beats, ended, codes = asyncio.Queue[str](), list[str](), [4000]

    async def talk(connection: ServerConnection) -> None:
        for _ in range(3):
            beats.put_nowait(str(await connection.recv()))
        if codes:
            await connection.close(codes.pop())
        async for _ in connection:  # a peer that reads no more does not see our close frame behind the beats
            pass

    server = await peer(talk)
    link = links.websocket(server.url, backoff=QUICK)

    @link.opened
    async def opened(connection: Connection) -> None:
        async def beat() -> None:
            try:
                while True:
                    await connection.send("beat")
                    await asyncio.sleep(0)
            finally:
                ended.append(connection.id)

        task = connection.spawn(beat(), name="heartbeat")
        assert task.get_name() == "heartbeat"

    @link.closed
    async def closed(connection: Connection) -> None:
        ended.append(f"closed {connection.id}")
        with pytest.raises(LinkDown):
            connection.spawn(asyncio.sleep(0))

    async with links.running():
        await until(lambda: beats.qsize() == 6)

    name = link.name
    assert ended == [f"{name}#1", f"closed {name}#1", f"{name}#2", f"closed {name}#2"]


@pytest.mark.parametrize("kind", ["websocket", "accepted"])
async def test_a_task_that_fails_ends_its_connection(
    kind: str, peer: Start, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection without its heartbeat is dropped by the peer some day; better now, with the reason in the log."""
    ended: list[Connection] = []

    async def fail() -> None:
        raise KeyError("sequence")

    async def opened(connection: Connection) -> None:
        if not ended:
            connection.spawn(fail())

    if kind == "accepted":
        app = FastAPI()
        link = Links(app).accept("/ws")
        link.opened(opened)
        link.closed(ended.append)

        def dial() -> int:
            with TestClient(app) as client, client.websocket_connect("/ws") as socket:
                return int(socket.receive()["code"])

        assert await asyncio.to_thread(dial) == 1011
    else:
        platform = Platform()
        server = await peer(platform.talk)
        link = links.websocket(server.url, backoff=QUICK)
        link.opened(opened)
        link.closed(ended.append)
        async with links.running():
            await until(lambda: ended)
            await link.wait_for(LinkState.UP)

    assert (failure := ended[0].failure) is not None
    assert (failure.kind, failure.text, failure.side) == ("task", "a task failed: KeyError", "us")
    assert "KeyError: 'sequence'" in caplog.text


async def test_a_task_is_cancelled_by_its_owner_or_returns_and_the_connection_goes_on(
    peer: Start, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """Only an exception says that something is wrong; and none of a connection that has ended anyway."""
    server, tasks = await peer(Platform().talk), list[asyncio.Task[Any]]()
    link = links.websocket(server.url)

    async def send_for_ever(connection: Connection) -> None:
        while True:
            await connection.send("still there?")
            await asyncio.sleep(0)

    async with links.running():
        await link.wait_for(LinkState.UP)
        connection = link.connection
        assert connection is not None
        tasks += [connection.spawn(asyncio.sleep(0)), connection.spawn(asyncio.Event().wait())]
        tasks[1].cancel()
        await asyncio.wait(tasks)
        assert connection.is_open
        unstarted = connection.spawn(asyncio.Event().wait())
        unstarted.cancel()
        connection.spawn(send_for_ever(connection))
        await connection.close()
        await until(lambda: connection.failure)

    assert "task" not in caplog.text


@pytest.mark.parametrize("kind", ["polling", "webhook"])
def test_where_nothing_opens_nothing_logs_in_or_closes(kind: str) -> None:
    """A function that would never be called is a mistake, and said to be one where it is written."""
    link = Links().poll("http://h/") if kind == "polling" else Links().webhook("/hook")

    for declare in (link.login, link.opened, link.closed):
        with pytest.raises(WrongHandler, match="no connections that open"):
            declare(print)


async def test_a_closed_hook_that_is_slow_holds_the_next_attempt_and_not_for_ever(peer: Start, links: Links) -> None:
    """What it tidies up is not yet used by the next connection; one that hangs has a limit."""
    codes, order = [4000, 4000], list[str]()

    async def talk(connection: ServerConnection) -> None:
        order.append("dialled")
        if codes:
            await connection.close(codes.pop())
        await connection.wait_closed()

    server = await peer(talk)
    link = links.websocket(server.url, backoff=QUICK, opened_timeout=0.05)

    @link.closed
    async def closed(connection: Connection) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        order.append("tidy")
        if len(order) > 3:
            await asyncio.Event().wait()

    links = Links(drain=0.01)
    link.home = links
    links._links[link.name] = link

    async with links.running():
        await until(lambda: len(order) == 5)

    assert order[:5] == ["dialled", "tidy", "dialled", "tidy", "dialled"]


async def test_an_outbox_leaves_at_the_rate_that_the_platform_allows(peer: Start) -> None:
    """A burst, and then so many a second; who sends meanwhile stands behind what is kept. Login and calls count too."""
    clock, times = SteppedClock(), list[tuple[float, str]]()

    async def talk(connection: ServerConnection) -> None:
        async for message in connection:
            times.append((clock.seconds, str(message)))
            await connection.send("{}")

    server, links = await peer(talk), Links(clock=clock, drain=0)
    link = links.websocket(server.url, rate=2, burst=3)

    @link.login
    async def log_in(connection: Connection) -> None:
        await connection.send("login")
        await connection.receive()

    async with links.running():
        for number in range(4):
            assert await link.send(f"kept {number}") is False
        await link.wait_for(LinkState.UP)
        assert await link.send("late") is False
        await clock.go_until(lambda: len(times) == 6)
        later = [asyncio.ensure_future(link.send(f"later {number}")) for number in range(2)]
        await clock.go_until(lambda: len(times) == 8)
        assert await asyncio.gather(*later) == [True, True]

    assert [text for _, text in times] == [
        *("login", "kept 0", "kept 1", "kept 2", "kept 3", "late", "later 0", "later 1"),
    ]
    begun = times[0][0]
    assert [round(at - begun, 6) for at, _ in times] == [0, 0, 0, 0.5, 1, 1.5, 2, 2.5]


async def test_what_waits_for_its_turn_when_the_connection_ends_is_kept(peer: Start) -> None:
    """It was never sent: nothing is unsure about it."""
    clock, came, codes = SteppedClock(), list[str](), [4000]

    async def talk(connection: ServerConnection) -> None:
        came.append(str(await connection.recv()))
        if codes:
            await connection.close(codes.pop())
        await connection.wait_closed()

    server, links = await peer(talk), Links(clock=clock, drain=0)
    link = links.websocket(server.url, rate=0.1, backoff=QUICK)

    async with links.running():
        await link.wait_for(LinkState.UP)
        assert await link.send("first")
        second = asyncio.ensure_future(link.send("second"))
        await until(lambda: link.connection is None)
        await clock.go_until(lambda: len(came) == 2)
        assert await second in (True, False)

    assert came == ["first", "second"]
    assert link.counters.unsure == 0
