"""A link as the program holds it: removed from within, restarted, asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from slipstream import FastAPI
from slipstream.links import (
    Backoff,
    Connection,
    Link,
    LinkDown,
    Links,
    LinkState,
    PollingSetup,
    WebSocketSetup,
)
from slipstream.links.state import Clock
from slipstream.testclient import TestClient
from slipstream.websockets import WebSocketDisconnect

from .support import QUICK, Event, Peer, until

pytestmark = pytest.mark.anyio
Start = Callable[..., Awaitable[Peer]]


async def tell(connection: ServerConnection) -> None:
    """Send events, and echo what comes."""
    for number in range(3):
        await connection.send(f'{{"id": {number}}}')
    async for message in connection:
        await connection.send(message)


class Removal:
    """Removes a link once, and notes how it was when that returned."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self.states: list[LinkState] = []
        self._is_done = False

    async def __call__(self) -> None:
        if not self._is_done:
            self._is_done = True
            link = self._links["one"]
            async with asyncio.timeout(1):
                await self._links.remove("one")
            self.states.append(link.state)


@pytest.mark.parametrize(
    "place",
    [
        "handler",
        "subtask of a handler",
        "conversation",
        "opened",
        "login",
        "closed",
        "task",
        "on_change",
        "links.on_change",
        "setup",
    ],
)
async def test_a_link_may_be_removed_by_its_own_functions(place: str, peer: Start) -> None:
    """A remote "log out" is an event like any other. Who waits for itself waits for ever, or until a deadline."""
    server, links = await peer(tell), Links(drain=20.0)
    removal, begun = Removal(links), asyncio.get_running_loop().time()

    async def setup() -> WebSocketSetup:
        if place == "setup":
            await removal()
        return WebSocketSetup(server.url)

    link = links.websocket(setup, name="one", backoff=QUICK)

    if place == "conversation":

        @link
        async def talk(connection: Connection) -> None:
            await removal()

    else:

        @link
        async def handle(event: Event) -> None:
            if place == "handler":
                await removal()
            elif "subtask" in place:
                await asyncio.create_task(removal())

    if place in ("opened", "login"):

        @getattr(link, place)  # type: ignore[untyped-decorator]  # either
        async def opened(connection: Connection) -> None:
            await removal()

    if place in ("task", "closed"):

        @link.opened
        async def begin(connection: Connection) -> None:
            if place == "task":
                connection.spawn(removal())
            else:
                await connection.close()

    if place == "closed":

        @link.closed
        async def closed(connection: Connection) -> None:
            await removal()

    if "on_change" in place:

        @(link if place == "on_change" else links).on_change
        async def changed(link: Link, old: Any, new: Any) -> None:
            await removal()

    async with links.running():
        await until(lambda: removal.states)
        assert removal.states == [LinkState.CLOSED]
        await until(lambda: not server.server.connections and link.main is None)
        again = links.websocket(server.url, name="one", backoff=QUICK)
        await again.wait_for(LinkState.UP)
        assert link.state is LinkState.CLOSED

    assert asyncio.get_running_loop().time() - begun < 10


async def test_a_handler_that_removes_its_link_may_finish_and_say_goodbye(peer: Start) -> None:
    """The connection stands until it is through; what waited behind it is lost, and counted."""
    said: list[object] = []

    async def listen(connection: ServerConnection) -> None:
        for number in range(3):
            await connection.send(f'{{"id": {number}}}')
        try:
            while True:
                said.append(await connection.recv())
        except ConnectionClosed as closed:
            said.append(closed.rcvd.code if closed.rcvd else None)

    server, links = await peer(listen), Links(drain=20.0)
    link = links.websocket(server.url, name="one")

    @link
    async def handle(connection: Connection, event: Event) -> None:
        await until(lambda: link.counters.received == 3)
        await links.remove("one")
        await asyncio.sleep(0)
        await connection.send("goodbye")

    async with links.running():
        await until(lambda: len(said) == 2)

    assert said == ["goodbye", 1001]
    assert (link.counters.received, link.counters.handled, link.counters.lost) == (3, 1, 2)


async def test_the_collection_waits_at_its_end_for_a_link_that_removed_itself(peer: Start) -> None:
    """Its handler has the seconds to drain that every handler has."""
    server, links, done = await peer(tell), Links(drain=20.0), asyncio.Event()

    @links.websocket(server.url, name="one")
    async def handle(event: Event) -> None:
        await links.remove("one")
        for _ in range(10):
            await asyncio.sleep(0)
        done.set()

    async with links.running():
        await until(lambda: "one" not in links)

    assert done.is_set()


async def test_a_name_is_free_for_the_next_link_while_the_last_still_ends(peer: Start) -> None:
    """A link that takes the name over at once runs, and is not ended in the other's place."""
    server, links, go_on = await peer(tell), Links(drain=20.0), asyncio.Event()
    link = links.websocket(server.url, name="one")

    @link
    async def handle(event: Event) -> None:
        await go_on.wait()

    async with links.running():
        await until(lambda: link.waiting)
        removing = asyncio.ensure_future(links.remove("one"))
        await until(lambda: link.is_stopping)
        again = links.websocket(server.url, name="one")
        again(lambda event: None)
        await again.wait_for(LinkState.UP)
        go_on.set()
        await removing
        assert (link.state, again.state) == (LinkState.CLOSED, LinkState.UP)
        assert again.connection is not None
        assert link.connection is None
        assert again.connection.id == "one#2"


class NeverClock(Clock):
    """A clock by which no back-off ever ends."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("state", [LinkState.UP, LinkState.CONNECTING, LinkState.BACKING_OFF])
async def test_restart_dials_at_once_whatever_the_link_does(state: LinkState, peer: Start) -> None:
    """Fresh credentials, or a peer that moved: the program knows better than any back-off."""
    codes: list[int | None] = []

    async def note_the_end(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append(connection.close_code)

    server, links, asked = await peer(note_the_end), Links(clock=NeverClock()), 0

    async def setup() -> WebSocketSetup:
        nonlocal asked
        asked += 1
        if asked == 1 and state is LinkState.CONNECTING:
            await asyncio.Event().wait()
        return WebSocketSetup("ws://127.0.0.1:1" if asked == 1 and state is LinkState.BACKING_OFF else server.url)

    link = links.websocket(setup, backoff=Backoff(first=60))

    async with links.running():
        await link.wait_for(state)
        await until(lambda: asked == 1)
        link.restart()
        await until(lambda: asked == 2)
        await link.wait_for(LinkState.UP)
        assert link.status.failures == (state is LinkState.BACKING_OFF)
        await until(lambda: codes == [1001] * (state is LinkState.UP))
        assert len(server.server.connections) == 1


async def test_what_a_peer_that_is_not_there_is_sent_is_refused_or_kept() -> None:
    """Kept where the peer will be known again, refused where it would not be."""
    links = Links()
    dialled, accepted = links.websocket("ws://127.0.0.1:1"), links.accept("/ws")

    async with links.running():
        assert await dialled.send("later") is False
        assert await dialled.broadcast("now") == 0
        with pytest.raises(LinkDown, match="not connected"):
            await accepted.send("never", key="a")


@pytest.mark.parametrize("kind", ["polling", "webhook", "accepted"])
def test_a_link_of_any_kind_may_be_removed_by_its_own_handler(kind: str) -> None:
    """Whoever dials. A path stays, and refuses."""
    app = FastAPI()
    links = Links(app, drain=20.0)
    removal, answer = Removal(links), httpx2.Response(200, json={"id": 1})
    setup = PollingSetup("http://h/", transport=lambda: httpx2.MockTransport(lambda request: answer))
    declare = {"polling": links.poll, "webhook": links.webhook, "accepted": links.accept}[kind]
    link = declare(setup if kind == "polling" else "/path", name="one")  # type: ignore[operator]  # each takes its own

    @link
    async def handle(event: Event) -> None:
        await removal()

    with TestClient(app) as client:
        if kind == "webhook":
            assert client.post("/path", json={"id": 1}).status_code == 204
            assert client.post("/path", json={"id": 1}).status_code == 503
        elif kind == "accepted":
            with client.websocket_connect("/path") as socket:
                socket.send_json({"id": 1})
                with pytest.raises(WebSocketDisconnect) as ended:
                    socket.receive_text()
            assert ended.value.code == 1012
        else:
            assert client.portal is not None
            client.portal.call(until, lambda: removal.states)

    assert removal.states == [LinkState.CLOSED]
    assert link.counters.handled == 1
