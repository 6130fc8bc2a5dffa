"""Limits of a connection in time and number; the tests move the loop's clock."""

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.server import ServerState

from slipstream import FastAPI, Request
from slipstream.responses import StreamingResponse
from slipstream.server import Limits, metrics
from slipstream.server.limits import VARIABLE, Settings, settings_for
from tests.server.wire import DATE, Connection, configured, statuses

pytestmark = pytest.mark.anyio

OK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


class Clock:
    """The time of the running loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.seconds = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self.seconds)

    async def pass_by(self, seconds: int) -> None:
        """Let so many seconds pass, one by one."""
        for _ in range(seconds):
            self.seconds += 1
            for _ in range(4):
                await asyncio.sleep(0)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    """Put the loop's clock into the test's hands."""
    yield Clock(monkeypatch)
    monkeypatch.undo()


class Application:
    """An application that can be held up."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.told: list[str] = []
        self.app = app = FastAPI()

        @app.get("/")
        async def home() -> str:
            return "home"

        @app.get("/slow")
        async def slow() -> str:
            await self.release.wait()
            return "slow"

        @app.post("/body")
        async def body(request: Request) -> int:
            return len(await request.body())

        @app.post("/unread")
        async def unread(request: Request) -> int:
            await self.release.wait()
            return len(await request.body())

        @app.get("/endless")
        async def endless() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                while True:
                    yield b"x" * 1000

            return StreamingResponse(parts())


def connected(app: Any, **limits: Any) -> Connection:
    """Connect to an application under limits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, json.dumps({"limits": limits}))
        connection = Connection(configured(app))
    return connection


async def test_a_silent_client_is_closed_without_an_answer(clock: Clock) -> None:
    """Nobody has asked anything."""
    connection = connected(Application().app)

    await clock.pass_by(9)
    assert connection.fate == "open"
    await clock.pass_by(3)

    assert connection.fate == "closed"
    assert connection.transport.written == b""


async def test_line_ends_are_no_request(clock: Clock) -> None:
    """A client that sends nothing else is a silent one."""
    connection = connected(Application().app)

    for _ in range(12):
        await connection.feed(b"\r\n")
        await clock.pass_by(1)

    assert connection.fate == "closed"


async def test_a_head_in_drops_is_too_slow(clock: Clock) -> None:
    """Slowloris; each byte puts off nothing."""
    connection = connected(Application().app)

    for byte in b"GET / HTTP/1":
        await connection.feed(bytes([byte]))
        await clock.pass_by(1)

    assert statuses(connection.transport.written) == [408]
    assert connection.fate == "shut"
    await clock.pass_by(4)
    assert connection.transport.is_aborted


async def test_the_head_of_a_second_request_has_its_own_time(clock: Clock) -> None:
    """It begins with its first byte."""
    connection = connected(Application().app)

    await connection.feed(OK)
    await clock.pass_by(60)
    await connection.feed(OK[:10])
    await clock.pass_by(9)
    await connection.feed(OK[10:] + OK[:10])
    assert statuses(connection.transport.written) == [200, 200]
    await clock.pass_by(12)

    assert statuses(connection.transport.written) == [200, 200, 408]


async def test_an_idle_connection_is_closed_after_75_seconds(clock: Clock) -> None:
    """Later than balancers do, so that they close first."""
    connection = connected(Application().app)
    await connection.feed(OK)

    await clock.pass_by(74)
    assert connection.fate == "open"
    await clock.pass_by(3)

    assert connection.fate == "closed"


async def test_a_handler_may_take_its_time(clock: Clock) -> None:
    """Limits are for clients."""
    application = Application()
    connection = connected(application.app)
    await connection.feed(OK.replace(b"/ ", b"/slow "))

    await clock.pass_by(300)
    application.release.set()
    await connection.settle()

    assert statuses(connection.transport.written) == [200]
    assert connection.fate == "open"


@pytest.mark.parametrize("length", [10_000, 1_000_000])
async def test_a_silent_body_is_too_slow(length: int, clock: Clock) -> None:
    """Whether it is waited for, or the application reads it already."""
    connection = connected(Application().app, body_rate=0)
    await connection.feed(POST % length + b"x" * 1000)

    await clock.pass_by(29)
    assert connection.fate == "open"
    await clock.pass_by(3)

    assert statuses(connection.transport.written) == [408]
    assert connection.fate == "shut"


@pytest.mark.parametrize("length", [10_000, 1_000_000])
async def test_a_body_in_drops_is_too_slow(length: int, clock: Clock) -> None:
    """It is never silent for long, and never ends."""
    connection = connected(Application().app)
    await connection.feed(POST % length)

    for _ in range(8):
        await connection.feed(b"x" * 200)
        await clock.pass_by(1)

    assert statuses(connection.transport.written) == [408]


async def test_a_slow_body_above_the_rate_is_read(clock: Clock) -> None:
    """A telephone in a tunnel."""
    connection = connected(Application().app)
    await connection.feed(POST % 10_000)

    for _ in range(20):
        await connection.feed(b"x" * 500)
        await clock.pass_by(1)

    assert statuses(connection.transport.written) == [200]


async def test_a_body_that_the_application_does_not_read_is_no_fault_of_the_client(clock: Clock) -> None:
    """It cannot send what is not taken."""
    application = Application()
    connection = connected(application.app)
    await connection.feed((POST % 1_000_000).replace(b"/body", b"/unread") + b"x" * 100_000)
    assert connection.transport.is_paused

    await clock.pass_by(300)
    application.release.set()
    for _ in range(9):
        await connection.feed(b"x" * 100_000)

    assert statuses(connection.transport.written) == [200]


async def test_a_client_that_was_not_asked_for_the_body_may_wait(clock: Clock) -> None:
    """The 100 is ours to send."""
    application = Application()
    connection = connected(application.app)
    head = (POST % 3).replace(b"/body", b"/unread")[:-2] + b"Expect: 100-continue\r\n\r\n"
    await connection.feed(head)

    await clock.pass_by(300)
    application.release.set()
    await connection.settle()
    await connection.feed(b"abc")

    assert statuses(connection.transport.written) == [100, 200]


async def test_a_client_that_takes_nothing_is_cut(clock: Clock) -> None:
    """Else its answer would stay in memory for ever."""
    connection = connected(Application().app)
    await connection.feed(OK)
    connection.transport.buffered = 1000

    await clock.pass_by(9)
    assert connection.fate == "open"
    await clock.pass_by(5)

    assert connection.transport.is_aborted


async def test_a_client_that_takes_little_is_kept(clock: Clock) -> None:
    """As long as it takes something."""
    connection = connected(Application().app)
    await connection.feed(OK)

    for taken in range(20):
        connection.transport.buffered = 10_000 - taken
        await clock.pass_by(3)

    assert connection.fate == "open"


async def test_what_cannot_be_sent_is_not_made() -> None:
    """A stream waits for the client."""
    connection = connected(Application().app)
    connection.protocol.pause_writing()

    await connection.feed(OK.replace(b"/ ", b"/endless ") + OK)
    first = len(connection.transport.written)

    assert first < 200_000
    connection.end()
    await connection.settle()


async def test_one_connection_more_than_the_limit_is_refused() -> None:
    """With an answer; those that are open go on."""
    app = Application().app
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, json.dumps({"limits": {"connections": 2}}))
        config, state = configured(app), ServerState()
        state.default_headers = DATE.copy()
        first, second, third = (Connection(config, state) for _ in range(3))

    assert (third.fate, statuses(third.transport.written)) == ("closed", [503])
    await first.feed(OK)
    assert statuses(first.transport.written) == [200]
    second.end()
    third.end()
    assert Connection(config, state).fate == "open"


async def test_one_address_cannot_take_all_connections() -> None:
    """Others find room."""
    app = Application().app
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, json.dumps({"limits": {"connections_by_address": 2}}))
        config, state = configured(app), ServerState()
        first, _, third = (Connection(config, state) for _ in range(3))

    assert third.fate == "closed"
    assert Connection(config, state, ("10.0.0.1", 50000)).fate == "open"
    first.end()
    assert Connection(config, state).fate == "open"


async def test_one_request_more_than_the_limit_is_refused() -> None:
    """It may come again in a second."""
    app = Application()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, json.dumps({"limits": {"requests": 1}}))
        config, state = configured(app.app), ServerState()
        first, second = Connection(config, state), Connection(config, state)

    await first.feed(OK.replace(b"/ ", b"/slow "))
    await second.feed(OK)
    assert statuses(second.transport.written) == [503]
    assert b"retry-after: 1\r\n" in second.transport.written
    app.release.set()
    await first.settle()

    assert statuses(first.transport.written) == [200]
    third = Connection(config, state)
    await third.feed(OK)
    assert statuses(third.transport.written) == [200]


async def test_refusals_are_counted() -> None:
    """An operator sees what the log says once."""
    gc.collect()  # servers of other tests
    before = metrics()
    connection = connected(Application().app)

    await connection.feed(OK + b"GET / HTTP/9.9\r\n\r\n")

    after = metrics()
    assert after["refused_505"] - before.get("refused_505", 0) == 1
    assert after["requests"] == before["requests"] + 1
    assert after["connections"] == before["connections"] + 1


async def test_a_server_that_is_gone_leaves_nothing() -> None:
    """A test suite may have started hundreds."""
    connection = connected(Application().app)
    await connection.feed(OK)
    connection.end()
    service = weakref.ref(connection.protocol.service)
    assert metrics()["requests"] > 0

    del connection
    gc.collect()

    assert service() is None


@pytest.mark.parametrize("value", [-1, "1", None, True, float("nan")])
def test_a_limit_that_is_none_is_an_error(value: Any) -> None:
    """It names the field and says what to write."""
    with pytest.raises(ValueError, match=r"idle_time is .*\n  write a number from 0 on"):
        Limits(idle_time=value)


def test_settings_go_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are processes of their own; what uvicorn's configuration says counts for more."""
    monkeypatch.setenv(VARIABLE, "")
    given = Settings(limits=Limits(idle_time=3, header_count=7), log_format="json")

    given.to_environment()

    assert settings_for(configured(FastAPI())) == given
    assert settings_for(configured(FastAPI(), timeout_keep_alive=9)).limits == Limits(idle_time=9, header_count=7)


@pytest.mark.parametrize("text", ["{", "[]", '{"limits": {"none": 1}}', '{"limits": 1}', '{"none": 1}'])
def test_settings_that_are_none_are_an_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the variable."""
    monkeypatch.setenv(VARIABLE, text)

    with pytest.raises(ValueError, match=VARIABLE):
        settings_for(configured(FastAPI()))
