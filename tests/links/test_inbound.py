"""Paths that others dial: the same handlers, the same connection, the same promises."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from benchmarks.links_peers import Served, reset
from slipstream import Depends, FastAPI, HTTPException, WebSocketException
from slipstream.bots.testing import FakePlatform, Peer as FakePeer
from slipstream.links import (
    CannotSend,
    Connection,
    Dropped,
    Link,
    LinkDown,
    Links,
    LinkState,
    NotRunning,
    WrongSetup,
    inbound,
)
from slipstream.links.setup import MiB
from slipstream.requests import Request
from slipstream.responses import JSONResponse, Response
from slipstream.testclient import TestClient

from .support import Event, until

pytestmark = pytest.mark.anyio


def dial(served: Served, path: str, **options: Any) -> connect:
    return connect(f"ws://127.0.0.1:{served.port}{path}", proxy=None, ping_interval=None, **options)


async def greeting(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


async def test_events_of_those_who_dial_us_are_typed_calls_in_order() -> None:
    """Text and binary, skipped where they are no events; the connection answers."""
    app = FastAPI()
    links = Links(app)
    link = links.accept("/ws/{place}", subprotocols=["v1"])

    @link
    async def handle(connection: Connection, event: Event) -> None:
        await connection.send({"got": event.id, "from": connection.path_params["place"], "as": connection.kind})

    async with Served(app) as served:
        async with dial(served, "/ws/here", subprotocols=["v2", "v1"]) as socket:
            for message in ('{"id": 1}', "garbage", b'{"id": 2}'):
                await socket.send(message)
            answers = [await greeting(socket), await greeting(socket)]
            assert socket.subprotocol == "v1"
            assert link.state is LinkState.UP
            assert len(link.connections) == 1
        await until(lambda: not link.sessions)

    assert answers == [{"got": 1, "from": "here", "as": "accepted"}, {"got": 2, "from": "here", "as": "accepted"}]
    assert link.counters.invalid == 1
    assert link.state is LinkState.CLOSED


async def test_dependencies_run_before_the_connection_is_accepted() -> None:
    """Who may not come in gets a 403 and no WebSocket."""
    app = FastAPI()

    async def check(token: str = "") -> None:
        if token != "right":
            raise WebSocketException(1008)

    Links(app).accept("/ws", dependencies=[Depends(check)])

    async with Served(app) as served:
        with pytest.raises(InvalidStatus) as refused:
            await dial(served, "/ws?token=wrong")
        async with dial(served, "/ws?token=right"):
            pass

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("duplicates", ["refuse", "replace", "allow"])
async def test_a_peer_that_connects_twice_is_treated_as_was_said(duplicates: Any) -> None:
    """The newer is refused, or the older replaced, or both live."""
    app = FastAPI()
    link = Links(app).accept("/ws/{id}", key="id", duplicates=duplicates)

    async with Served(app) as served, dial(served, "/ws/a") as older, dial(served, "/ws/b"):
        if duplicates == "refuse":
            with pytest.raises(InvalidStatus):
                await dial(served, "/ws/a")
            assert len(link.connections) == 2
            return
        async with dial(served, "/ws/a"):
            if duplicates == "replace":
                with pytest.raises(ConnectionClosed) as closed:
                    await older.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4409
            await until(lambda: len(link.connections) == (2 if duplicates == "replace" else 3))


async def test_a_peer_whose_key_cannot_be_read_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """What a peer leaves out is no error of ours."""
    app = FastAPI()
    Links(app).accept("/ws", key=lambda websocket: websocket.query_params["id"])

    async with Served(app) as served:
        with pytest.raises(InvalidStatus) as refused:
            await dial(served, "/ws")
        async with dial(served, "/ws?id=a"):
            pass

    assert refused.value.response.status_code == 403
    assert "key cannot be read: KeyError" in caplog.text


def _given(request: Any) -> Any:
    """Answer as the query says; the same function serves as permission and as key."""
    match request.query_params.get("answer"):
        case "response":
            return JSONResponse({"try": "another token"}, 409, {"X-Hint": "ask the admin"})
        case "odd":
            return Response(b"no phrase is known for it", 499)
        case "exception":
            raise HTTPException(402, "pay first", {"X-Hint": "ask the bank"})
        case "no":
            return False
    return {"X-Session": "7"}


async def _given_later(request: Any) -> Any:
    await asyncio.sleep(0)
    return _given(request)


@pytest.mark.parametrize("ask", [_given, _given_later], ids=["plain", "async"])
async def test_a_peer_is_told_with_status_headers_and_body_why_it_may_not_come_in(ask: Any) -> None:
    """A platform that dials us learns what to do about it before there is a WebSocket."""
    app = FastAPI()
    Links(app).accept("/ws", permission=ask)
    expected = {
        "response": (409, "ask the admin", b'{"try":"another token"}'),
        "exception": (402, "ask the bank", b'{"detail":"pay first"}'),
        "no": (403, None, b'{"detail":"Forbidden"}'),
        "odd": (403, None, b"no phrase is known for it"),
    }

    async with Served(app) as served:
        seen = {}
        for answer in expected:
            with pytest.raises(InvalidStatus) as refused:
                await dial(served, f"/ws?answer={answer}")
            response = refused.value.response
            seen[answer] = response.status_code, response.headers.get("X-Hint"), response.body
        async with dial(served, "/ws") as socket:
            assert socket.response is not None
            assert socket.response.headers["X-Session"] == "7"

    assert seen == expected


@pytest.mark.parametrize(
    "ask",
    [
        lambda websocket: None,
        lambda websocket: websocket.headers.get("x-token"),
        lambda websocket: "",
        lambda websocket: 1,
        lambda websocket: websocket.query_params["token"],
    ],
    ids=["nothing", "a header that is not there", "an empty text", "a number", "an error"],
)
async def test_only_a_clear_yes_lets_a_peer_in(ask: Any) -> None:
    """A function that forgets to answer, or fails on what the peer sent, must not open the door."""
    app = FastAPI()
    links = Links(app)
    links.accept("/ws", permission=ask)
    links.accept("/open", permission=lambda websocket: True)

    async with Served(app) as served:
        with pytest.raises(InvalidStatus) as refused:
            await dial(served, "/ws")
        async with dial(served, "/open") as socket:
            assert socket.response is not None

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("answer", ["response", "exception"])
async def test_a_key_that_has_to_be_looked_up_may_refuse_as_well(answer: str) -> None:
    """Who a peer is often stands in a database, and so does that it is nobody."""
    app = FastAPI()

    async def key(websocket: Any) -> Any:
        found = await _given_later(websocket)
        return found if isinstance(found, Response) else websocket.query_params["id"]

    link = Links(app).accept("/ws", key=key)

    async with Served(app) as served:
        with pytest.raises(InvalidStatus) as refused:
            await dial(served, f"/ws?answer={answer}")
        async with dial(served, "/ws?id=a"):
            assert list(link.sessions) == ["a"]

    assert refused.value.response.status_code == {"response": 409, "exception": 402}[answer]


async def test_a_peer_that_takes_too_long_to_look_up_is_told_to_come_again() -> None:
    """A database that hangs must not hold a handshake for ever."""
    app = FastAPI()
    Links(app).accept("/ws", permission=lambda websocket: asyncio.Event().wait(), opened_timeout=0.01)

    async with Served(app) as served:
        with pytest.raises(InvalidStatus) as refused:
            await dial(served, "/ws")

    assert (refused.value.response.status_code, refused.value.response.headers["Retry-After"]) == (503, "1")


async def test_a_server_that_cannot_send_an_answer_refuses_all_the_same() -> None:
    """Close before accept, which servers turn into a 403."""
    app, sent = FastAPI(), []
    links = Links(app)
    links.accept("/ws", permission=lambda websocket: Response(b"no", 401))

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {
        "type": "websocket",
        "path": "/ws",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "subprotocols": [],
    }
    async with links.running():
        await app(scope, receive, send)

    assert sent == ["websocket.close"]


@pytest.mark.parametrize("duplicates", ["replace", "allow"])
async def test_a_conversation_is_with_one_connection(duplicates: Any) -> None:
    """What a peer's newer connection says reaches the newer conversation, whose end is not that of the older."""
    app = FastAPI()
    link = Links(app).accept("/ws/{id}", key="id", duplicates=duplicates)

    @link
    async def hold(connection: Connection) -> None:
        async for message in connection:
            await connection.send(f"{connection.id}: {message!r}")

    async with Served(app) as served, dial(served, "/ws/a") as older:
        await older.send("one")
        assert await older.recv() == "accepted-1#1: 'one'"
        async with dial(served, "/ws/a") as newer:
            await newer.send("two")
            assert await newer.recv() == "accepted-1#2: 'two'"
            if duplicates == "replace":
                await older.wait_closed()
                await until(lambda: len(link.connections) == 1)
            else:
                await older.send("three")
                assert await older.recv() == "accepted-1#1: 'three'"
            await newer.send("four")
            assert await newer.recv() == "accepted-1#2: 'four'"


async def test_a_conversation_that_is_left_leaves_nothing_behind() -> None:
    """What it did not read is counted, and its peer forgotten; else each one would stay for ever."""
    app = FastAPI()
    link = Links(app).accept("/ws")

    @link
    async def leave_after_the_first(connection: Connection) -> None:
        await connection.receive()
        await until(lambda: link.waiting)

    async with Served(app) as served:
        async with dial(served, "/ws") as socket:
            await socket.send("read")
            await socket.send("not read")
            await socket.wait_closed()
        await until(lambda: not link.sessions)

    assert (link.counters.handled, link.counters.dropped, link.waiting) == (1, 1, 0)


async def test_of_several_connections_of_a_peer_each_fails_its_own_calls() -> None:
    """The end of one says nothing of the others; what is sent goes to the latest that is there."""
    app = FastAPI()
    link = Links(app).accept("/ws/{id}", key="id", duplicates="allow", reply_id="echo")

    async with Served(app) as served, dial(served, "/ws/a") as older:
        await until(lambda: len(link.connections) == 1)
        async with dial(served, "/ws/a") as newer:
            await until(lambda: len(link.connections) == 2)
            lost = asyncio.ensure_future(link.call({"ask": "newer"}, key="a"))
            assert (await greeting(newer))["ask"] == "newer"
            by_older = next(each for each in link.connections if each.id.endswith("#1"))
            answered = asyncio.ensure_future(by_older.call({"ask": "older"}))
            question = await greeting(older)
        with pytest.raises(LinkDown):
            await lost
        await older.send(json.dumps({**question, "answer": True}))
        assert (await answered)["answer"]
        await until(lambda: len(link.connections) == 1)
        assert await link.send("still there", key="a")
        assert await older.recv() == "still there"


@pytest.mark.parametrize(("duplicates", "codes"), [("refuse", [None, 1008]), ("replace", [4409, None])])
async def test_of_two_that_come_at_once_one_stays(duplicates: Any, codes: list[int | None]) -> None:
    """Whatever the server does between the question and the handshake, no peer is connected twice."""
    app = FastAPI()
    links = Links(app)
    link = links.accept("/ws/{id}", key="id", duplicates=duplicates)
    handshakes, sent = asyncio.Event(), [list[Any](), list[Any]()]

    async def dial_slowly(number: int) -> None:
        received = asyncio.Queue[dict[str, Any]]()
        received.put_nowait({"type": "websocket.connect"})

        async def send(message: Any) -> None:
            if message["type"] == "websocket.accept":
                await handshakes.wait()
            sent[number].append(message)
            if message["type"] == "websocket.close":
                received.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

        scope = {"type": "websocket", "path": "/ws/a", "query_string": b"", "headers": [], "subprotocols": []}
        await app({**scope, "scheme": "ws", "root_path": "", "asgi": {"version": "3.0"}}, received.get, send)

    async with links.running():
        tasks = [asyncio.ensure_future(dial_slowly(number)) for number in range(2)]
        await until(lambda: len(link.connections) == (1 if duplicates == "refuse" else 2))
        handshakes.set()
        await until(lambda: sum(task.done() for task in tasks) == 1)
        closed = [next((each["code"] for each in own if each["type"] == "websocket.close"), None) for own in sent]
        assert len(link.connections) == 1
    await asyncio.gather(*tasks)

    assert closed == codes


async def test_what_a_peer_missed_waits_for_it() -> None:
    """Outbox, dedupe window and last id belong to the peer, not to the connection."""
    app = FastAPI()
    link = Links(app).accept("/ws/{id}", key="id", event_id="id")
    seen: list[int] = []

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    @link.opened
    async def greet(connection: Connection) -> None:
        await connection.send({"after": connection.last_id})

    async with Served(app) as served:
        async with dial(served, "/ws/a") as socket:
            assert await greeting(socket) == {"after": None}
            await socket.send('{"id": 1}')
            await until(lambda: seen)
            reset(socket.transport)
        await until(lambda: not link.connections)
        assert await link.send("missed", key="a") is False
        async with dial(served, "/ws/a") as socket:
            assert await greeting(socket) == {"after": 1}
            assert await socket.recv() == "missed"
            await socket.send('{"id": 1}')
            await socket.send('{"id": 2}')
            await until(lambda: len(seen) == 2)
            assert await link.send("now", key="a")
            assert await socket.recv() == "now"
            assert await link.broadcast("to all") == 1

    assert seen == [1, 2]
    assert link.counters.duplicates == 1


async def test_nothing_is_kept_for_whom_nobody_would_know_again() -> None:
    """A message that waits for a peer that cannot come is a message lost in silence."""
    app = FastAPI()
    links = Links(app)
    nameless, known, hook = links.accept("/ws"), links.accept("/ws/{id}", key="id"), links.webhook("/hook")

    async with Served(app) as served:
        async with dial(served, "/ws") as socket:
            await until(lambda: nameless.connections)
            key = nameless.connections[0].key
            assert await nameless.send("hello", key=key)
            assert await socket.recv() == "hello"
        await until(lambda: not nameless.sessions)
        with pytest.raises(LinkDown, match="is not connected"):
            await nameless.send("too late", key=key)
        for link in (nameless, known):
            with pytest.raises(WrongSetup, match="broadcast"):
                await link.send("to whom?")
        with pytest.raises(LinkDown, match="peer 'a' is not connected"):
            await known.call({}, key="a")
        with pytest.raises(CannotSend):
            await hook.send("to whom?")
        assert await known.send("kept", key="a") is False

    assert not nameless.sessions


async def test_peers_that_are_away_are_forgotten_one_day() -> None:
    """Whoever dials us under a thousand names must not fill our memory; what was kept for them is told."""
    app = FastAPI()
    link, dropped = Links(app).accept("/ws/{id}", key="id", remember=2), list[Dropped]()
    link.on_drop(lambda link, gone: dropped.extend(gone))

    async with Served(app) as served:
        await link.send("kept", key="0")
        for number in range(5):
            async with dial(served, f"/ws/{number}") as socket:
                if number == 0:
                    assert await socket.recv() == "kept"
            await until(lambda: not link.connections)
            if number == 0:
                await link.send("never", key="0")
        await until(lambda: len(link.sessions) == 2)

    assert [(each.data, each.reason) for each in dropped] == [("never", "forgotten")]


async def test_calls_reach_those_who_dialled_us() -> None:
    """Forward or reverse: a call waits for its reply, and fails at once when the peer goes."""
    app = FastAPI()
    link = Links(app).accept("/ws/{id}", key="id", reply_id="echo")

    async with Served(app) as served, dial(served, "/ws/a") as socket:
        await until(lambda: link.connections)
        calling = asyncio.ensure_future(link.call({"do": "it"}, key="a"))
        call = await greeting(socket)
        await socket.send(json.dumps({"echo": call["echo"], "done": True}))
        assert (await calling)["done"]
        hanging = asyncio.ensure_future(link.call({"do": "that"}, key="a"))
        await socket.recv()
        socket.transport.abort()
        with pytest.raises(ConnectionError):
            await hanging


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda socket: socket.send("x" * 200), 1009),
        (lambda socket: asyncio.sleep(0), 1001),
    ],
    ids=["too big", "silent"],
)
async def test_bounds_of_a_connection(spoil: Callable[[ClientConnection], Any], code: int) -> None:
    """Too large a message, or none for too long, ends a connection with a code that says which."""
    app = FastAPI()
    Links(app).accept("/ws", max_message=100, silence=0.1)

    async with Served(app) as served, dial(served, "/ws") as socket:
        await spoil(socket)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda peer: peer.bad_text(), 1007),
        (lambda peer: peer.unmasked(), 1002),
        (lambda peer: peer.garbage(b"\xb3\x80\x00\x00\x00\x00"), 1002),
        (lambda peer: peer.garbage(b"\x82\xff" + (20 * MiB).to_bytes(8, "big") + b"\x00\x00\x00\x00"), 1009),
    ],
    ids=["no UTF-8", "no mask", "no frame", "20 MiB"],
)
async def test_a_malformed_frame_closes_the_connection_with_its_code(
    spoil: Callable[[FakePeer], None], code: int
) -> None:
    """The next connection is welcome. (uvicorn forgets what came in one packet with the broken frame.)"""
    app = FastAPI()
    link, seen = Links(app).accept("/ws"), list[int]()

    @link
    async def handle(event: Event) -> None:
        seen.append(event.id)

    async with Served(app) as served, FakePlatform() as platform:
        url = f"ws://127.0.0.1:{served.port}/ws"
        peer = await platform.dial(url)
        await peer.send_json({"id": 1})
        await until(lambda: seen == [1])
        spoil(peer)
        assert (await peer.ended()).code == code
        await (await platform.dial(url)).send_json({"id": 2})
        await until(lambda: len(seen) == 2)

    assert seen == [1, 2]


async def test_a_peer_sees_nothing_of_a_handler_that_raises_or_is_slow() -> None:
    """Its next events are handled after that, in order."""
    app = FastAPI()
    link, seen, go = Links(app).accept("/ws", queue=1), list[int](), asyncio.Event()

    @link
    async def handle(connection: Connection, event: Event) -> None:
        seen.append(event.id)
        if event.id == 1:
            raise RuntimeError("secret")
        await go.wait()
        await connection.send(f"{event.id}")

    async with Served(app) as served, dial(served, "/ws") as socket:
        for number in range(1, 6):
            await socket.send(json.dumps({"id": number}))
        await until(lambda: len(seen) == 2)
        go.set()
        answers = [await socket.recv() for _ in range(4)]

    assert answers == ["2", "3", "4", "5"]
    assert (link.counters.failed, link.counters.handled) == (1, 4)


@pytest.mark.parametrize("way", ["raises", "hangs"])
async def test_a_peer_is_closed_with_1011_when_an_opened_hook_fails(way: str) -> None:
    """As the one is that we dial; the next one may find the hook well."""
    app, tries = FastAPI(), list[int]()
    link = Links(app).accept("/ws", opened_timeout=0.05)

    @link.opened
    async def login(connection: Connection) -> None:
        tries.append(1)
        if len(tries) > 1:
            await connection.send("welcome")
        elif way == "raises":
            raise RuntimeError("secret")
        else:
            await asyncio.Event().wait()

    async with Served(app) as served:
        async with dial(served, "/ws") as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        async with dial(served, "/ws") as socket:
            assert await socket.recv() == "welcome"

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "")


async def test_a_peer_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A send fails in its time, and the peer's place is free."""
    monkeypatch.setattr(inbound, "_WRITE_TIMEOUT", 0.05)
    app = FastAPI()
    link = Links(app).accept("/ws/{id}", key="id")

    async with Served(app) as served, FakePlatform() as platform:
        peer = await platform.dial(f"ws://127.0.0.1:{served.port}/ws/a")
        await until(lambda: link.connections)
        (connection,) = link.connections
        peer.half_open()
        with pytest.raises(LinkDown, match="takes nothing"):
            await asyncio.gather(*(connection.send("x" * MiB) for _ in range(64)))
        await until(lambda: not link.connections)
        peer.drop()
        await platform.dial(f"ws://127.0.0.1:{served.port}/ws/a")
        await until(lambda: link.connections)


async def test_a_full_queue_closes_with_1013() -> None:
    """Try again later: a peer that resumes loses nothing."""
    app = FastAPI()
    link = Links(app, drain=0).accept("/ws", queue=1, policy="close")

    @link
    async def handle(event: Event) -> None:
        await asyncio.Event().wait()

    async with Served(app) as served, dial(served, "/ws") as socket:
        for number in range(3):
            await socket.send(json.dumps({"id": number}))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


async def test_a_conversation_with_whoever_dialled() -> None:
    """A handler without an event holds the connection, here as there; its failure is 1011."""
    app = FastAPI()
    link = Links(app).accept("/ws")

    @link
    async def hold(connection: Connection) -> None:
        async for message in connection:
            if message == "raise":
                raise RuntimeError("boom")
            if message == "end":
                return
            await connection.send(f"you said {message!r}")

    codes = []
    async with Served(app) as served:
        for last in ("end", "raise"):
            async with dial(served, "/ws") as socket:
                await socket.send("hi")
                assert await socket.recv() == "you said 'hi'"
                await socket.send(last)
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                codes.append(closed.value.rcvd.code)

    assert codes == [1000, 1011]


def test_a_webhook_answers_what_its_handler_says() -> None:
    """200 with what it returns or sends, 204 for nothing, 4xx and 5xx as for an endpoint."""
    app = FastAPI()
    link = Links(app).webhook("/hook", event_id="id", max_message=100)

    @link
    async def handle(connection: Connection, event: Event) -> Any:
        if event.text == "return":
            return {"id": event.id}
        if event.text == "text":
            return "text"
        if event.text == "no number":
            return {"price": float("nan")}
        if event.text == "send":
            await connection.send({"sent": event.id})
        if event.text == "forbid":
            raise HTTPException(403, "no")
        if event.text == "raise":
            raise RuntimeError("secret")
        return None

    with TestClient(app) as client:

        def post(number: int, text: str) -> tuple[int, Any]:
            answer = client.post("/hook", json={"id": number, "text": text})
            return answer.status_code, answer.json() if answer.content else None

        assert post(1, "return") == (200, {"id": 1})
        assert post(2, "send") == (200, {"sent": 2})
        assert post(3, "") == (204, None)
        assert post(7, "text") == (200, "text")
        assert post(8, "no number") == (200, {"price": None})
        assert post(4, "forbid") == (403, {"detail": "no"})
        assert post(5, "raise") == (500, {"detail": "Internal Server Error"})
        assert post(1, "return") == (204, None), "a repeat is not handled again"
        assert client.post("/hook", json={"id": 6, "text": "x" * 100}).status_code == 413
        refused = client.post("/hook", content=b'{"id": "x"}')
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", "id"]
        assert client.post("/hook", content=b"\xff").status_code == 422
        assert client.get("/hook").status_code == 405

    assert link.counters.handled == 5
    assert link.counters.failed == 2


async def test_a_sender_that_is_told_of_a_failure_can_send_the_event_again() -> None:
    """A 500 or 503 asks for that: the repeat is an event that nobody has handled, and no duplicate."""
    app = FastAPI()
    link = Links(app).webhook("/hook", event_id="id", queue=1, policy="drop_oldest")
    handled, began, go = list[int](), asyncio.Event(), asyncio.Event()

    @link
    async def handle(event: Event) -> None:
        if event.id == 1 and not began.is_set():
            began.set()
            await go.wait()
            raise RuntimeError("the first time")
        handled.append(event.id)

    async with Served(app) as served, FakePlatform() as platform:
        url = f"http://127.0.0.1:{served.port}/hook"
        failing = asyncio.ensure_future(platform.post(url, {"id": 1}))
        await began.wait()
        dropped = asyncio.ensure_future(platform.post(url, {"id": 2}))
        await until(lambda: link.waiting == 2)
        kept = asyncio.ensure_future(platform.post(url, {"id": 3}))
        first = [(await dropped).status]
        go.set()
        first += [(await each).status for each in (failing, kept)]
        again = [(await platform.post(url, {"id": number})).status for number in (1, 2, 3)]

    assert (first, again) == ([503, 500, 204], [204, 204, 204])
    assert handled == [3, 1, 2]
    assert link.counters.duplicates == 1


async def test_a_sender_that_repeats_an_event_in_handling_hears_what_becomes_of_it() -> None:
    """Senders lose patience; a 204 for the repeat would say that what then fails has been handled."""
    app = FastAPI()
    link, began, go = Links(app).webhook("/hook", event_id="id"), asyncio.Event(), asyncio.Event()

    @link
    async def handle(event: Event) -> dict[str, int]:
        began.set()
        await go.wait()
        if event.id == 1:
            raise RuntimeError("after all")
        return {"id": event.id}

    async with Served(app) as served, FakePlatform() as platform:
        url, answers = f"http://127.0.0.1:{served.port}/hook", list[Any]()
        for number in (1, 2):
            began.clear()
            go.clear()
            first = asyncio.ensure_future(platform.post(url, {"id": number}))
            await began.wait()
            repeat = asyncio.ensure_future(platform.post(url, {"id": number}))
            await until(lambda number=number: link.counters.duplicates == number)
            go.set()
            answers.append([((await each).status, (await each).body) for each in (first, repeat)])

    failed, handled = (500, b'{"detail":"Internal Server Error"}'), (200, b'{"id":2}')
    assert answers == [[failed, failed], [handled, handled]]


def test_an_event_without_a_readable_id_is_refused() -> None:
    """A 204 would tell its sender that it has been handled."""
    app = FastAPI()
    Links(app).webhook("/hook", event_id="id")(handle_anything)

    with TestClient(app) as client:
        answer = client.post("/hook", json={"id": ["no", "id"]})

    assert answer.status_code == 422


async def handle_anything(event: dict[str, Any]) -> None: ...


async def test_what_is_wrong_with_a_webhook_is_its_answer() -> None:
    """A wrong token, a body that is no event or too long, a handler that raises: each has its status."""
    app = FastAPI()

    async def check(request: Request) -> None:
        if request.headers.get("x-token") != "right":
            raise HTTPException(401, "who are you?")

    link = Links(app).webhook("/hook", dependencies=[Depends(check)])

    @link
    async def handle(event: Event) -> None:
        raise RuntimeError("secret")

    async with Served(app) as served, FakePlatform() as platform:
        url, known = f"http://127.0.0.1:{served.port}/hook", {"X-Token": "right"}
        wrong = await platform.post(url, {"id": 1})
        garbage = await platform.post(url, b"\x00", known)
        raising = await platform.post(url, {"id": 1}, known)
        unknown = await platform.post(url + "/nowhere", {"id": 1}, known)
        async with httpx2.AsyncClient(trust_env=False) as client:
            long = await client.post(url, content=b"x" * 20 * MiB, headers=known)

    statuses = [answer.status for answer in (wrong, garbage, raising, unknown)]
    assert (*statuses, long.status_code) == (401, 422, 500, 404, 413)
    assert b"secret" not in raising.body


async def test_an_event_that_is_dropped_for_a_newer_one_is_a_503() -> None:
    """Its sender hears that nobody has handled it, and may send it again."""
    app = FastAPI()
    link, began, go = Links(app).webhook("/hook", queue=1, policy="drop_oldest"), asyncio.Event(), asyncio.Event()

    @link
    async def handle(event: Event) -> None:
        began.set()
        await go.wait()

    async with Served(app) as served, FakePlatform() as platform:
        url = f"http://127.0.0.1:{served.port}/hook"
        first = asyncio.ensure_future(platform.post(url, {"id": 1}))
        await began.wait()
        second = asyncio.ensure_future(platform.post(url, {"id": 2}))
        await until(lambda: link.waiting == 2)
        third = asyncio.ensure_future(platform.post(url, {"id": 3}))
        dropped = await second
        go.set()
        answers = [(await each).status for each in (first, third)]

    assert (dropped.status, dropped.headers["retry-after"], answers) == (503, "1", [204, 204])


async def test_a_webhook_that_does_not_wait_answers_at_once() -> None:
    """202 when the event is in the queue; 503 with a time when it finds no room."""
    app = FastAPI()
    link = Links(app, drain=0).webhook("/hook", wait=False, queue=1, policy="close")
    started = asyncio.Event()

    @link
    async def handle(event: Event) -> None:
        started.set()
        await asyncio.Event().wait()

    async with Served(app) as served, httpx2.AsyncClient(trust_env=False) as client:
        statuses = []
        for number in range(3):
            answer = await client.post(f"http://127.0.0.1:{served.port}/hook", json={"id": number})
            statuses.append(answer.status_code)
            await started.wait()

    assert statuses == [202, 202, 503]
    assert answer.headers["retry-after"] == "1"
    assert link.counters.lost == 2


def test_without_a_lifespan_the_error_says_what_to_do() -> None:
    """Tests forget the `with`; a hanging request would not tell them."""
    app = FastAPI()
    Links(app).webhook("/hook")(lambda event: None)

    with pytest.raises(NotRunning, match="with TestClient"):
        TestClient(app).post("/hook", json={})


async def test_shutdown_tells_sockets_and_handles_what_came(caplog: pytest.LogCaptureFixture) -> None:
    """The server closes with 1012; what had been received is handled all the same."""
    app = FastAPI()
    link, handled, go = Links(app, drain=5).accept("/ws"), list[int](), asyncio.Event()

    @link
    async def handle(event: Event) -> None:
        await go.wait()
        handled.append(event.id)

    async with Served(app) as served:
        socket = await dial(served, "/ws")
        for number in range(3):
            await socket.send(json.dumps({"id": number}))
        await until(lambda: link.counters.received == 3)
        asyncio.get_running_loop().call_later(0.05, go.set)

    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert handled == [0, 1, 2]


async def test_a_removed_link_takes_nobody_in() -> None:
    """Its path is still there, and refuses."""
    app = FastAPI()
    links = Links(app)
    link: Link = links.accept("/ws", name="gone")

    async with Served(app) as served:
        async with dial(served, "/ws") as socket:
            await until(lambda: link.connections)
            await links.remove("gone")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        with pytest.raises(InvalidStatus):
            await dial(served, "/ws")

    assert link.state is LinkState.CLOSED
