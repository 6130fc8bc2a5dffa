"""What servers that we call see, over real sockets."""

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from slipstream.bots.adapters import Bot
from slipstream.bots.drivers import HTTPPollingSetup, HTTPRequest, WebSocketSetup
from slipstream.bots.drivers.fastapi import Driver, WebSocket
from slipstream.bots.exception import CallInterrupted, UnknownAdapter
from slipstream.bots.testing import Answer, FakePlatform, Refused
from slipstream.links import TLS, Backoff, Connection, Fatal, Link, LinkState, Status, Timeouts
from slipstream.links.errors import MissingLibrary, WrongSetup
from tests.links.support import SteppedClock, most_within
from tests.peers import HTTPProxy, Proxy, Socks5, http2_server

from .support import KNOWN, Script, make_driver, served

pytestmark = pytest.mark.anyio


def dialling(url: str, **more: Any) -> WebSocketSetup:
    return WebSocketSetup("scripted", "1", url, reconnect_interval=0.01, **more)


def polling(url: str, **changes: Any) -> HTTPPollingSetup:
    fields: dict[str, Any] = {
        "adapter": "scripted",
        "self_id": "1",
        "url": url,
        "method": "GET",
        "body": b"",
        "headers": {},
        "http_version": "1.1",
        "poll_interval": 0.01,
    }
    return HTTPPollingSetup(**{**fields, **changes})


def hooked(driver: Driver) -> "asyncio.Queue[tuple[str, Bot]]":
    story: asyncio.Queue[tuple[str, Bot]] = asyncio.Queue()

    @driver.on_bot_connect
    async def connected(bot: Bot) -> None:
        story.put_nowait(("connected", bot))

    @driver.on_bot_disconnect
    async def disconnected(bot: Bot) -> None:
        story.put_nowait(("disconnected", bot))

    return story


# WebSockets


async def test_a_platform_that_is_dialled_sees_one_host_header_and_the_setups_headers(script: Script) -> None:
    """The original sent two Host headers."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url, headers={"X-Token": "t"}))
        async with served(driver):
            peer = await platform.connected()

    assert len(peer.request.headers.get_all("Host")) == 1
    assert peer.request.headers["X-Token"] == "t"


async def test_frames_of_both_kinds_reach_the_handler_as_bytes(script: Script) -> None:
    """And the answer goes back over the same connection."""

    async def handle(bot: Any, message: bytes) -> None:
        await bot.request.send_bytes(message)

    script.handle = handle
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("text")
            await peer.send(b"\xff")

            assert [await peer.receive(), await peer.receive()] == [b"text", b"\xff"]


async def test_a_dialled_bot_is_connected_from_the_handshake_to_the_end(script: Script) -> None:
    """Its request tells what was dialled."""
    driver = make_driver(script)
    story = hooked(driver)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url + "?a=%20", headers={"X-Token": "t"}))
        async with served(driver):
            peer = await platform.connected()
            what, bot = await story.get()
            seen = dict(driver.bots)
            await platform.stop_listening()
            await peer.close(1001)
            after = await story.get()

    request = bot.request
    assert isinstance(request, WebSocket)
    assert (what, seen, after) == ("connected", {"1": bot}, ("disconnected", bot))
    assert (request.scheme, request.path, request.query_string) == ("ws", "/ws", b"a=%20")
    assert request.headers == {"x-token": "t"}
    assert request.closed


@pytest.mark.parametrize(
    "end",
    [
        lambda peer: peer.drop(),
        lambda peer: peer.garbage(b"\xff\xff\xff\xff"),
        lambda peer: peer.bad_text(),
    ],
    ids=["drop", "garbage", "bad UTF-8"],
)
async def test_whatever_ends_a_connection_the_platform_is_dialled_again(script: Script, end: Any) -> None:
    """Unusable frames end a connection, never the link."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            first = await platform.connected()
            end(first)
            second = await platform.connected()
            await second.send("again")

            assert await script.messages(1) == [b"again"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda peer: peer.bad_text(), 1007),
        (lambda peer: peer.garbage(b"\xb3\x00"), 1002),
        (lambda peer: peer.garbage(b"\x82\x7f" + (17 * 2**20).to_bytes(8, "big")), 1009),
    ],
    ids=["bad UTF-8", "reserved bits and opcode", "17 MiB"],
)
async def test_a_platform_that_sends_an_unusable_frame_sees_the_code_for_it(
    script: Script, spoil: Any, code: int
) -> None:
    """And is dialled again."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            spoil(peer)

            assert (await peer.ended()).code == code
            assert (await platform.connected()).is_open


async def test_a_frame_of_15_mib_from_a_platform_is_handled(script: Script) -> None:
    """The limit of the original was 1 MiB, without an option."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url, headers={}), compression=False)
        async with served(driver):
            await (await platform.connected()).send(bytes(15 * 2**20))

            assert [len(message) for message in await script.messages(1)] == [15 * 2**20]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4000, 999])
async def test_whatever_code_a_platform_closes_with_it_is_dialled_again(script: Script, code: int) -> None:
    """Codes that nobody may send included."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            await (await platform.connected()).close(code)

            assert (await platform.connected()).is_open


async def test_a_platform_that_answers_429_is_left_alone_as_long_as_it_asks(script: Script) -> None:
    """Retry-After is kept, and seen in the link's status."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.refuse(429, retry_after="60")
        link = driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            status = await link.wait_for(LinkState.BACKING_OFF)
            link.restart()
            await platform.connected()

    assert status.retry_at is not None
    assert 60 <= status.retry_at.monotonic - status.since.monotonic < 61
    assert status.reason == "the server answered 429"


async def test_a_platform_that_refuses_three_times_sees_no_fourth_attempt(script: Script) -> None:
    """The link is failed, and says why; a program can start it again."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.refuse(401, times=3)
        link = driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            status = await link.wait_for(LinkState.FAILED)
            seen = platform.handshakes
            link.restart()
            await platform.connected()

    assert (status.reason, seen) == ("the server answered 401, 3 times in a row", 3)


async def test_a_close_code_can_mean_that_trying_again_is_useless(script: Script) -> None:
    """As platforms say of a wrong intent or a wrong shard."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        link = driver.setup_websocket(dialling(platform.ws_url), fatal=Fatal(close_codes=frozenset({4004})))
        async with served(driver):
            await (await platform.connected()).close(4004, "bad token")
            status = await link.wait_for(LinkState.FAILED)

    assert status.reason == "the peer closed with 4004 bad token"


async def test_a_platform_that_is_not_there_is_dialled_when_it_is(script: Script) -> None:
    """The program starts all the same."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        await platform.stop_listening()
        link = driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            status = await link.wait_for(LinkState.BACKING_OFF)
            await platform.listen()
            await platform.connected()

    assert status.reason.startswith("cannot connect")


async def test_a_platform_that_answers_no_handshake_is_given_up_and_dialled_again(script: Script) -> None:
    """After the time-out, which is an option."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.stay_silent()
        link = driver.setup_websocket(dialling(platform.ws_url), timeouts=Timeouts(connect=0.05))
        async with served(driver):
            status = await link.wait_for(LinkState.BACKING_OFF)
            platform.stay_silent(False)
            await link.wait_for(LinkState.UP)

    assert status.reason == "no connection within 0.05 seconds"


async def test_a_platform_that_is_half_open_is_noticed_by_pings(script: Script) -> None:
    """It takes the connection and never answers again."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url), ping_interval=0.02, ping_timeout=0.05)
        async with served(driver):
            (await platform.connected()).half_open()

            assert (await platform.connected()).is_open


async def test_a_function_is_asked_for_the_setup_at_each_connection(script: Script) -> None:
    """Tokens in it are fresh."""
    driver, tokens = make_driver(script), iter("abc")
    async with FakePlatform() as platform:

        async def setup() -> WebSocketSetup:
            return dialling(platform.ws_url, headers={"X-Token": next(tokens)})

        driver.setup_websocket(setup, backoff=Backoff(first=0.01))
        async with served(driver):
            first = await platform.connected()
            await first.close()
            second = await platform.connected()

    assert [first.request.headers["X-Token"], second.request.headers["X-Token"]] == ["a", "b"]


@pytest.mark.parametrize("kind", ["websocket", "polling"])
async def test_the_interval_of_a_functions_setup_is_the_one_that_counts(script: Script, kind: str) -> None:
    """It was asked for at each attempt, and then passed over for three seconds."""
    driver, waits = make_driver(script), []
    async with FakePlatform() as platform:
        platform.refuse(503, times=3)
        for _ in range(3):
            platform.answer(b"", 503)

        async def dialled() -> WebSocketSetup:
            return dialling(platform.ws_url)

        async def polled() -> HTTPPollingSetup:
            return polling(platform.http_url)

        link = driver.setup_websocket(dialled) if kind == "websocket" else driver.setup_http_polling(polled)

        @link.on_change
        def note(link: Any, old: Any, new: Any) -> None:
            if new.retry_at is not None:
                waits.append(new.retry_at.monotonic - new.since.monotonic)

        async with served(driver):
            await link.wait_for(LinkState.UP)

    assert len(waits) == 3
    assert all(wait < bound for wait, bound in zip(waits, (0.011, 0.021, 0.041), strict=True))


async def test_a_function_that_fails_is_asked_again(script: Script) -> None:
    """The link's status says so meanwhile."""
    driver, tries = make_driver(script), []
    async with FakePlatform() as platform:

        async def setup() -> WebSocketSetup:
            tries.append(1)
            if len(tries) == 1:
                raise RuntimeError("no token today")
            return dialling(platform.ws_url)

        link = driver.setup_websocket(setup, backoff=Backoff(first=0.01))
        async with served(driver):
            status = await link.wait_for(LinkState.BACKING_OFF)
            await platform.connected()

    assert status.reason == "the setup could not be made: RuntimeError"


async def test_what_is_no_setup_is_refused_where_it_is_written_or_told_in_the_status(script: Script) -> None:
    """A coroutine function that forgets its `return` is such a thing."""
    driver = make_driver(script)
    for wrong in (None, "ws://h/", polling("http://h/")):
        with pytest.raises(WrongSetup, match="a WebSocketSetup, or a function"):
            driver.setup_websocket(wrong)
    with pytest.raises(WrongSetup, match="a HTTPPollingSetup, or a function"):
        driver.setup_http_polling(dialling("ws://h/"))

    async def forgetful() -> None: ...

    link = driver.setup_websocket(forgetful, backoff=Backoff(first=0.01))
    async with served(driver):
        status = await link.wait_for(LinkState.BACKING_OFF)

    assert "setup='NoneType' is not possible: expected a WebSocketSetup" in status.reason


@pytest.mark.parametrize("way", ["the hook raises", "the platform drops"])
async def test_a_connection_that_ends_in_an_opened_hook_of_the_program_frees_its_id(script: Script, way: str) -> None:
    """The bot was there before the link was up; it is gone with the connection, and the next one is let in."""
    driver, tries, waiting = make_driver(script), [], asyncio.Event()
    async with FakePlatform() as platform:
        link = driver.setup_websocket(dialling(platform.ws_url), backoff=Backoff(first=0.01))

        @link.opened
        async def log_in(connection: Connection) -> None:
            tries.append(dict(driver.bots))
            if len(tries) == 1 and way == "the hook raises":
                raise RuntimeError("wrong password")
            if len(tries) == 1:
                waiting.set()
                await asyncio.Event().wait()

        async with served(driver):
            first = await platform.connected()
            if way == "the platform drops":
                await waiting.wait()
                first.drop()
            await first.ended()
            await platform.connected()
            await link.wait_for(LinkState.UP)

    assert [list(bots) for bots in tries] == [["1"], ["1"]]
    assert tries[0]["1"] is not tries[1]["1"]


async def test_a_link_waits_while_its_id_is_in_use(script: Script) -> None:
    """The older connection stays, whoever dialled it; the link takes the id when it is free."""
    driver = make_driver(script)
    async with FakePlatform() as platform, FakePlatform() as caller, served(driver) as server:
        first = await caller.dial(server.ws + "/scripted/ws", KNOWN)
        link = driver.setup_websocket(dialling(platform.ws_url))
        status = await link.wait_for(LinkState.BACKING_OFF)
        await first.close()
        await platform.connected()
        with pytest.raises(Refused) as refused:
            await caller.dial(server.ws + "/scripted/ws", KNOWN)

    assert status.reason == "the setup could not be made: bot '1' is connected already"
    assert refused.value.status == 403


async def test_an_api_call_in_flight_fails_at_once_when_the_platform_is_lost(script: Script) -> None:
    """In the original it hung to its time-out."""
    outcome: asyncio.Future[CallInterrupted] = asyncio.get_running_loop().create_future()

    async def handle(bot: Bot, message: bytes) -> None:
        try:
            await bot.get_name()
        except CallInterrupted as error:
            outcome.set_result(error)

    script.handle = handle
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("go")
            await peer.receive()
            peer.drop()
            async with asyncio.timeout(1):
                error = await outcome

    assert (error.self_id, error.api) == ("1", "get_name")


async def test_a_handler_gets_the_answer_to_its_api_call_from_a_later_frame(script: Script) -> None:
    """Though frames are handled in order."""

    async def handle(bot: Bot, message: bytes) -> None:
        script.got.put_nowait(await bot.get_name())

    script.handle = handle
    driver = make_driver(script)
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("who?")
            await peer.receive()
            await peer.send_json({"echo": "get_name", "data": "Ada"})

            assert await script.messages(2) == ["Ada", b"who?"]


async def test_a_bot_that_ends_its_connection_is_gone_at_once_and_the_platform_is_dialled_again(
    script: Script,
) -> None:
    """With the code that it gave, though the platform never answers the close frame."""
    driver = make_driver(script)

    async def handle(bot: Any, message: bytes) -> None:
        closing = asyncio.create_task(bot.request.close(4001, "enough"))
        await asyncio.sleep(0)
        script.got.put_nowait((driver.bots, bot.request.closed))
        await closing

    script.handle = handle
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("go")
            end = await peer.ended()
            await platform.connected()

            assert script.got.get_nowait() == ({}, True)
    assert (end.code, end.reason) == (4001, "enough")


async def test_whoever_waits_in_receive_gets_the_next_frame(script: Script) -> None:
    """On connections that we dial too."""
    driver, got = make_driver(script), asyncio.get_running_loop().create_future()

    @driver.on_bot_connect
    async def greets(bot: Any) -> None:
        await bot.request.accept()
        await bot.request.send("who are you?")
        got.set_result(await bot.request.receive())

    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            await peer.receive()
            await peer.send("Ada")

            assert await got == "Ada"


@pytest.mark.parametrize("way", ["raises", "hangs"])
async def test_a_connect_hook_that_fails_is_logged_and_the_platform_sees_nothing_of_it(
    script: Script, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As with platforms that call us: after the time that hooks have, frames are handled."""
    driver = make_driver(script, slipstream_hook_timeout=0.01)

    @driver.on_bot_connect
    async def fails(bot: Bot) -> None:
        if way == "raises":
            raise RuntimeError("on purpose")
        await asyncio.Event().wait()

    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("hello")

            assert await script.messages(1) == [b"hello"]
            assert peer.is_open
    assert ("fails failed" if way == "raises" else "fails took more than 0.01 seconds") in caplog.text


async def test_a_handler_that_raises_is_logged_and_the_platform_sees_nothing_of_it(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Dialled or polled: the next frame, the next answer, is handled."""

    async def handle(bot: Bot, message: bytes) -> None:
        if message == b"bad":
            raise RuntimeError("on purpose")

    script.handle = handle
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer(b"bad")
        platform.answer(b"good poll")
        driver.setup_websocket(dialling(platform.ws_url))
        driver.setup_http_polling(polling(platform.http_url, self_id="2"))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("bad")
            await peer.send("good frame")

            assert {*await script.messages(2)} == {b"good poll", b"good frame"}
            assert peer.is_open
    assert caplog.text.count("handle_message failed") == 2


async def test_by_choice_an_answer_that_finds_no_room_is_dropped_and_said(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nobody to close; whoever wants every answer gives a cursor, or lets the next request wait."""
    go_on = asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        await go_on.wait()

    script.handle = handle
    driver = make_driver(script, slipstream_queue=1, slipstream_queue_policy="close")
    async with FakePlatform() as platform:
        platform.always = Answer(200, b"an answer")
        driver.setup_http_polling(polling(platform.http_url))
        async with served(driver):
            for _ in range(4):
                await platform.polled()
            go_on.set()
            await script.messages(2)
    assert "the queue is full, an answer is dropped" in caplog.text


async def test_by_choice_a_platform_that_is_faster_than_the_handler_is_closed_with_1013(script: Script) -> None:
    """And dialled again; a polled answer is dropped."""
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        begun.set()
        await go_on.wait()

    script.handle = handle
    driver = make_driver(script, slipstream_queue=1, slipstream_queue_policy="close")
    async with FakePlatform() as platform:
        driver.setup_websocket(dialling(platform.ws_url))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("1")
            await begun.wait()
            await peer.send("2")
            await peer.send("3")
            end = await peer.ended()
            go_on.set()

            assert await script.messages(2) == [b"1", b"2"]
    assert end.code == 1013


async def test_a_function_that_names_an_unknown_adapter_is_seen_in_the_links_status(script: Script) -> None:
    """It is asked again: the adapter may be registered later."""
    driver = make_driver()
    async with FakePlatform() as platform:

        async def setup() -> WebSocketSetup:
            return dialling(platform.ws_url)

        link = driver.setup_websocket(setup, backoff=Backoff(first=0.01))
        async with served(driver):
            status = await link.wait_for(LinkState.BACKING_OFF)

    assert status.reason == "the setup could not be made: there is no adapter 'scripted'"
    assert link.name == "websocket-1"


async def test_shutdown_waits_for_handlers_and_then_closes_with_1001(script: Script) -> None:
    """Links stop before the shutdown hooks, and start before the start-up hooks."""
    begun, go_on, story = asyncio.Event(), asyncio.Event(), []

    async def handle(bot: Any, message: bytes) -> None:
        begun.set()
        await go_on.wait()
        await bot.request.send("done")

    script.handle = handle
    driver = make_driver(script)
    async with FakePlatform() as platform:
        link = driver.setup_websocket(dialling(platform.ws_url))

        @driver.on_startup
        async def started() -> None:
            await platform.connected()
            story.append(("started", link.state))

        @driver.on_shutdown
        def stopped() -> None:
            story.append(("stopped", link.state))

        async with served(driver) as server:
            peer = platform._peers[0]
            await peer.send("go")
            await begun.wait()
            server.stop()
            go_on.set()

            assert await peer.receive() == "done"
            assert (await peer.ended()).code == 1001
    assert story[0][0] == "started"
    assert story[0][1] in (LinkState.CONNECTING, LinkState.UP)
    assert story[1] == ("stopped", LinkState.CLOSED)


async def test_a_bad_address_is_an_error_where_it_is_written(script: Script) -> None:
    """The original's loop ended in silence."""
    driver = make_driver(script)

    with pytest.raises(WrongSetup):
        driver.setup_websocket(dialling("http://127.0.0.1/"))
    with pytest.raises(WrongSetup):
        driver.setup_http_polling(polling("nonsense"))


async def test_an_adapter_that_nobody_registered_is_an_error_at_start(script: Script) -> None:
    """Where the setup is fixed; a function's is seen in the link's status."""
    driver = make_driver()
    driver.setup_websocket(dialling("ws://127.0.0.1:9/"))

    with pytest.raises(UnknownAdapter):
        async with driver.asgi.router.lifespan_context(driver.asgi):
            pass


async def test_an_option_that_is_none_is_an_error(script: Script) -> None:
    """Misspelt options do not pass in silence."""
    driver: Any = make_driver(script)

    with pytest.raises(TypeError, match="pingg"):
        driver.setup_websocket(dialling("ws://127.0.0.1:9/"), pingg=1)
    with pytest.raises(TypeError, match="ping_interval"):
        driver.setup_http_polling(polling("http://127.0.0.1:9/"), ping_interval=1)


async def test_every_option_of_a_connection_reaches_the_link(script: Script) -> None:
    """TLS, proxy, time-outs and the rest are accepted."""
    driver = make_driver(script)
    context = ssl.create_default_context()

    link = driver.setup_websocket(
        dialling("wss://127.0.0.1:9/"),
        name="mine",
        proxy="http://127.0.0.1:9",
        trust_env=False,
        cookies={"a": "b"},
        timeouts=Timeouts(read=1),
        max_message=1,
        subprotocols=("x",),
        ping_interval=None,
        ping_timeout=1,
        compression=False,
        tls=TLS(context=context),
        backoff=Backoff(first=2),
    )

    assert driver.links["mine"] is link
    assert link.options.backoff.first == 2


async def test_30_links_that_lose_their_platform_do_not_return_in_one_burst(script: Script) -> None:
    """At most half of them in any 100 ms of the links' clock, short as their interval is."""
    driver, clock, moments = make_driver(script), SteppedClock(), list[float]()
    driver.links.clock = clock
    async with FakePlatform() as platform:
        links = [
            driver.setup_websocket(WebSocketSetup("scripted", str(number), platform.ws_url, reconnect_interval=0.2))
            for number in range(30)
        ]
        async with served(driver):
            peers = [await platform.connected() for _ in links]
            for link in links:
                await link.wait_for(LinkState.UP)
            for peer in peers:
                peer.drop()
            for link in links:
                await link.wait_for(LinkState.BACKING_OFF)

            @driver.links.on_change
            def note(link: Link, old: Status, new: Status) -> None:
                if new.state is LinkState.CONNECTING:
                    moments.append(new.since.monotonic)

            await clock.go_until(lambda: all(link.status.ups == 2 for link in links))

    assert len(moments) == 30
    assert most_within(0.1, moments) <= 15


# Polling


async def test_what_an_answer_holds_reaches_the_handler(script: Script) -> None:
    """Every 2xx; the platform sees method, body and headers of the setup."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer(b"one")
        platform.answer(b"two", 201)
        setup = polling(platform.http_url + "?a=1", method="POST", body=b"ask", headers={"X-Token": "t"})
        driver.setup_http_polling(setup)
        async with served(driver):
            assert await script.messages(2) == [b"one", b"two"]

    asked = platform.asked[0]
    assert (asked.method, asked.path, asked.query, asked.body) == ("POST", "/events", "a=1", b"ask")
    assert (asked.version, asked.headers["x-token"]) == ("1.1", "t")


async def test_a_polled_bot_is_connected_from_the_first_answer_on(script: Script) -> None:
    """In the original it was before any."""
    driver = make_driver(script)
    story = hooked(driver)
    async with FakePlatform() as platform:
        platform.stay_silent()
        driver.setup_http_polling(polling(platform.http_url + "?a=1"))
        async with served(driver):
            before = driver.bots
            platform.answer(b"one")
            platform.stay_silent(False)
            _, bot = await story.get()
            seen = dict(driver.bots)
            await platform.stop_listening()
            after = await story.get()

    request = bot.request
    assert isinstance(request, HTTPRequest)
    assert (before, seen, after) == ({}, {"1": bot}, ("disconnected", bot))
    assert (request.scheme, request.path, request.query_string) == ("http", "/events", b"a=1")


async def test_other_answers_are_told_in_the_links_status_and_asked_again(script: Script) -> None:
    """A 500 is no event."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer(b"oops", 500)
        platform.answer(b"fine")
        link = driver.setup_http_polling(polling(platform.http_url))
        async with served(driver):
            status = await link.wait_for(LinkState.BACKING_OFF)

            assert await script.messages(1) == [b"fine"]
    assert status.reason == "the server answered 500"


async def test_an_answer_that_is_no_http_is_asked_for_again(script: Script) -> None:
    """Garbage is never fatal."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer_garbage(b"\x00\xff garbage\r\n\r\n")
        platform.answer(b"fine")
        driver.setup_http_polling(polling(platform.http_url))
        async with served(driver):
            assert await script.messages(1) == [b"fine"]


async def test_a_redirect_is_followed(script: Script) -> None:
    """Within one platform."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer(b"", 302, location="/other")
        platform.answer(b"there")
        driver.setup_http_polling(polling(platform.http_url))
        async with served(driver):
            assert await script.messages(1) == [b"there"]

    assert [asked.path for asked in platform.asked[:2]] == ["/events", "/other"]


async def test_a_function_is_asked_for_the_setup_at_each_request(script: Script) -> None:
    """In the original a function never polled at all."""
    driver, numbers = make_driver(script), iter(range(1000))
    async with FakePlatform() as platform:
        platform.always = Answer(200, b"x")

        async def setup() -> HTTPPollingSetup:
            return polling(f"{platform.http_url}?page={next(numbers)}")

        driver.setup_http_polling(setup)
        async with served(driver):
            await script.messages(3)

    assert [asked.query for asked in platform.asked[:3]] == ["page=0", "page=1", "page=2"]


async def test_a_function_may_name_another_bot_at_each_request(script: Script) -> None:
    """The one leaves, the other connects."""
    driver, ids = make_driver(script), iter("aabbbbbbbbbb")
    story = hooked(driver)
    async with FakePlatform() as platform:
        for _ in range(4):
            platform.answer(b"x")

        async def setup() -> HTTPPollingSetup:
            return polling(platform.http_url, self_id=next(ids, "b"))

        driver.setup_http_polling(setup)
        async with served(driver):
            told = [await story.get() for _ in range(3)]

    assert sorted((what, bot.self_id) for what, bot in told) == [
        ("connected", "a"),
        ("connected", "b"),
        ("disconnected", "a"),
    ]


async def test_http_1_0_is_spoken_where_the_setup_says_so(script: Script) -> None:
    """The connection ends with each answer."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer(b"one")
        platform.answer(b"two")
        driver.setup_http_polling(polling(platform.http_url, http_version="1.0"))
        async with served(driver):
            assert await script.messages(2) == [b"one", b"two"]

    assert [asked.version for asked in platform.asked[:2]] == ["1.0", "1.0"]


async def test_http_1_0_survives_answers_that_are_cut_short_and_servers_that_are_away(script: Script) -> None:
    """As 1.1 does."""
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer_garbage(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut")
        link = driver.setup_http_polling(polling(platform.http_url, http_version="1.0"))
        async with served(driver):
            cut = await link.wait_for(LinkState.BACKING_OFF)
            await platform.stop_listening()
            away = await link.wait_for(LinkState.BACKING_OFF)
            await platform.listen()
            platform.answer(b"back")

            assert await script.messages(1) == [b"back"]
    assert cut.reason.startswith("no usable answer")
    assert away.reason


async def test_http_2_is_spoken_where_the_setup_says_so(script: Script, certificate: Path) -> None:
    """With a server that agrees to it, which takes TLS."""
    versions: list[str] = []

    async def platform(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            versions.append(scope["http_version"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(len(versions)).encode()})

    driver = make_driver(script)
    async with http2_server(platform, certificate) as port:
        setup = polling(f"https://localhost:{port}/", http_version="2")
        driver.setup_http_polling(setup, tls=TLS(ca_file=str(certificate)))
        async with served(driver):
            assert await script.messages(2) == [b"1", b"2"]

    assert set(versions) == {"2"}


async def test_http_2_without_its_library_is_an_error_where_it_is_asked_for(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which says what to install; a function's setup is a link that has failed, and says so too."""
    driver = make_driver(script)
    monkeypatch.setitem(sys.modules, "h2", None)

    async def setup() -> HTTPPollingSetup:
        return polling("https://localhost:9/", http_version="2")

    with pytest.raises(MissingLibrary, match=r"pip install 'slipstream\[http2\]'"):
        driver.setup_http_polling(await setup())
    link = driver.setup_http_polling(setup)
    async with served(driver):
        status = await link.wait_for(LinkState.FAILED)

    assert status.reason == "polling by HTTP/2 needs the package 'h2': pip install 'slipstream[http2]'"


@pytest.mark.parametrize("kind", [Socks5, HTTPProxy])
async def test_a_platform_is_dialled_through_the_proxy_that_the_driver_is_told(
    script: Script, kind: type[Proxy]
) -> None:
    """With its login; and the platform is resolved by the proxy."""
    driver = make_driver(script)
    async with FakePlatform() as platform, kind(("me", "s3cr3t")) as proxy:
        url = platform.ws_url.replace("127.0.0.1", "platform.test")
        driver.setup_websocket(dialling(url), proxy=proxy.url("me", "s3cr3t"))
        async with served(driver):
            peer = await platform.connected()
            await peer.send("hello")

            assert await script.messages(1) == [b"hello"]
            assert "s3cr3t" not in str(driver.links.health())
    assert proxy.asked[0] == ("platform.test", urlsplit(url).port)


@pytest.mark.parametrize("kind", [Socks5, HTTPProxy])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_platform_is_polled_through_the_proxy_that_the_driver_is_told(
    script: Script, kind: type[Proxy], version: str
) -> None:
    """In every version of HTTP: HTTP/1.0 used to pass the proxy by."""
    driver = make_driver(script)
    async with FakePlatform() as platform, kind(("me", "s3cr3t")) as proxy:
        platform.always = Answer(200, b"hello")
        url = platform.http_url.replace("127.0.0.1", "platform.test")
        driver.setup_http_polling(polling(url, http_version=version), proxy=proxy.url("me", "s3cr3t"))
        async with served(driver):
            assert await script.messages(1) == [b"hello"]
    assert set(proxy.asked) == {("platform.test", urlsplit(url).port)}
    assert platform.asked[0].version == version


async def test_an_http_version_that_is_none_is_an_error(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is HTTP/2 without what speaks it."""
    driver = make_driver(script)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(WrongSetup, match="http_version='3'"):
        driver.setup_http_polling(polling("http://127.0.0.1:9/", http_version="3"))
    with pytest.raises(MissingLibrary, match="h2"):
        driver.setup_http_polling(polling("http://127.0.0.1:9/", http_version="2"))


async def test_a_cursor_moves_when_the_answer_has_been_handled(script: Script) -> None:
    """No event is lost by a crash: the next request carries the cursor only then."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        begun.set()
        await go_on.wait()

    script.handle = handle
    driver = make_driver(script)
    async with FakePlatform() as platform:
        platform.answer({"next": 7, "events": [1]})
        driver.setup_http_polling(polling(platform.http_url), cursor="next", cursor_param="since", start=3)
        async with served(driver):
            await begun.wait()
            during = len(platform.asked)
            go_on.set()
            await platform.polled()
            await platform.polled()

    assert during == 1
    assert [asked.query for asked in platform.asked[:2]] == ["since=3", "since=7"]
