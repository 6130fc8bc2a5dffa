"""What peers that call us see, over real sockets."""

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse

from slipstream.bots.adapters import Bot
from slipstream.bots.drivers import HTTPRequest, HTTPResponse
from slipstream.bots.drivers.fastapi import WebSocket
from slipstream.bots.exception import CallInterrupted, WebSocketClosed
from slipstream.bots.testing import FakePlatform, Refused
from slipstream.testclient import TestClient
from slipstream.websockets import WebSocket as ServerSocket

from .support import KNOWN, Running, Script, bot_class, make_driver, served

pytestmark = pytest.mark.anyio

MiB = 1024 * 1024


# Events by HTTP


@pytest.mark.parametrize("path", ["/scripted/", "/scripted/http", "/scripted/http/"])
async def test_an_event_that_is_posted_is_answered_with_200_and_handled(script: Script, path: str) -> None:
    """The documented addresses, the one that the original redirected included."""
    driver = make_driver(script)

    async with served(driver) as server, FakePlatform() as platform:
        answer = await platform.post(server.http + path, b"hello", KNOWN)
        got = await script.messages(1)

    assert (answer.status, answer.body) == (200, b"")
    assert got == [b"hello"]


async def test_the_adapter_sees_the_request_that_came(script: Script) -> None:
    """Lower-case names, the last of several headers, the query as it was."""
    driver = make_driver(script)

    async with served(driver) as server, FakePlatform() as platform:
        await platform.post(server.http + "/scripted/http?a=%20b", b"x", {**KNOWN, "X-One": "1", "x-one": "2"})

    [request] = script.requests
    assert isinstance(request, HTTPRequest)
    assert (request.http_version, request.scheme, request.path) == ("1.1", "http", "/scripted/http")
    assert (request.query_string, request.method, request.body, request.type) == (b"a=%20b", "POST", b"x", "http")
    assert request.headers["x-one"] == "2"


async def test_a_bot_made_for_a_post_is_not_among_the_connected(script: Script) -> None:
    """It lasts as long as its event."""
    driver = make_driver(script)
    seen: list[Any] = []

    async def handle(bot: Bot, message: bytes) -> None:
        seen.append((bot.self_id, driver.bots))

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        await platform.post(server.http + "/scripted/", b"x", KNOWN)
        await script.messages(1)

    assert seen == [("1", {})]


async def test_a_post_is_answered_before_its_handler_ends(script: Script) -> None:
    """A platform does not wait for a slow handler."""
    driver, go_on = make_driver(script), asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        await go_on.wait()

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        answer = await platform.post(server.http + "/scripted/", b"x", KNOWN)
        is_handled = not script.got.empty()
        go_on.set()
        await script.messages(1)

    assert (answer.status, is_handled) == (200, False)


async def test_a_post_to_an_unknown_adapter_is_answered_with_404(script: Script) -> None:
    """In the words of the original."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        answer = await platform.post(server.http + "/nobody/", b"x", KNOWN)

    assert (answer.status, answer.body) == (404, b'{"detail":"adapter not found"}')


async def test_a_post_with_a_wrong_token_sees_the_adapters_status_headers_and_words(script: Script) -> None:
    """The original dropped the headers."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        answer = await platform.post(server.http + "/scripted/", b"x", {"authorization": "Bearer guess"})

    assert (answer.status, answer.body) == (403, b'{"detail":"wrong token"}')
    assert answer.headers["x-hint"] == "ask the admin"
    assert script.got.empty()


async def test_a_post_without_an_id_is_answered_with_401(script: Script) -> None:
    """What a falsy id means where the adapter gives no answer."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        answer = await platform.post(server.http + "/scripted/", b"x", {"authorization": "Bearer secret"})

    assert (answer.status, answer.body) == (401, b'{"detail":"Unauthorized"}')


def answering(script: Script, self_id: str | None, answer: HTTPResponse | None) -> type[Bot]:
    class Answering(bot_class(script)):  # type: ignore[misc]
        @classmethod
        async def check_permission(cls, driver: Any, request: Any) -> Any:
            return self_id, answer

    return Answering


async def post_to(script: Script, self_id: str | None, answer: HTTPResponse | None) -> Any:
    driver = make_driver()
    driver.register_adapter("scripted", answering(script, self_id, answer))
    async with served(driver) as server, FakePlatform() as platform:
        return await platform.post(server.http + "/scripted/", b"x", KNOWN)


async def test_an_accepted_post_is_answered_as_the_adapter_says(script: Script) -> None:
    """Status, headers and body, bytes as they are."""
    answer = await post_to(script, "1", HTTPResponse(202, b"\xff\x00", {"content-type": "x/y", "x-a": "b"}))

    assert (answer.status, answer.body, answer.headers["content-type"]) == (202, b"\xff\x00", "x/y")
    assert answer.headers["x-a"] == "b"


async def test_an_accepted_post_may_be_answered_with_204(script: Script) -> None:
    """No body goes with it, whatever the adapter gave."""
    answer = await post_to(script, "1", HTTPResponse(204, b"nothing"))

    assert (answer.status, answer.body) == (204, b"")


async def test_a_refusal_with_204_is_a_204(script: Script) -> None:
    """The original answered 500."""
    answer = await post_to(script, None, HTTPResponse(204, b"nothing"))

    assert (answer.status, answer.body) == (204, b"")


async def test_a_refusal_that_is_no_utf8_is_still_sent(script: Script) -> None:
    """The original answered 500."""
    answer = await post_to(script, None, HTTPResponse(400, b"bad \xff"))

    assert (answer.status, json.loads(answer.body)) == (400, {"detail": "bad �"})


async def test_headers_that_would_split_the_answer_are_left_out(script: Script) -> None:
    """An adapter that echoes input into a header opens no hole."""
    refused = HTTPResponse(400, b"no", {"x-a": "1\r\nx-evil: 1", "content-length": "999", "x-b": "2"})

    answer = await post_to(script, None, refused)

    assert answer.status == 400
    assert "x-evil" not in answer.headers
    assert answer.headers["x-b"] == "2"


async def test_a_status_that_is_none_is_answered_with_500(script: Script) -> None:
    """A mistake in the adapter is the server's fault."""
    answer = await post_to(script, None, HTTPResponse(1000))

    assert answer.status == 500


@pytest.mark.parametrize("status", [None, 0])
async def test_a_status_that_is_left_open_is_the_usual_one(script: Script, status: Any) -> None:
    """200 with an id, 401 without one, as the original had it; body and headers go along."""
    accepted = await post_to(script, "1", HTTPResponse(status, b"hi", {"x-a": "b"}))
    refused = await post_to(script, None, HTTPResponse(status, b"no"))

    assert (accepted.status, accepted.body, accepted.headers["x-a"]) == (200, b"hi", "b")
    assert (refused.status, refused.body) == (401, b'{"detail":"no"}')


async def test_a_get_is_answered_with_405(script: Script) -> None:
    """The addresses take events and nothing else."""
    async with served(make_driver(script)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /scripted/http HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head = await reader.readline()
        writer.close()
        await writer.wait_closed()

    assert head.startswith(b"HTTP/1.1 405 ")


async def test_a_body_of_20_mib_is_answered_with_413(script: Script) -> None:
    """As long a body as a frame is taken, and no longer."""
    async with served(make_driver(script)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /scripted/ HTTP/1.1\r\nHost: x\r\nContent-Length: 20971520\r\n\r\n")
        head = await reader.readline()
        writer.close()

    assert head.startswith(b"HTTP/1.1 413 ")


class Broken(RuntimeError):
    """Something that went wrong on purpose."""


def asking(script: Script, ask: Any) -> type[Bot]:
    class Asking(bot_class(script)):  # type: ignore[misc]
        @classmethod
        async def check_permission(cls, driver: Any, request: Any) -> Any:
            return await ask()

    return Asking


async def broken() -> Any:
    raise Broken("a secret")


async def hanging() -> Any:
    await asyncio.Event().wait()


async def test_a_peer_sees_500_when_check_permission_raises(script: Script) -> None:
    """By HTTP and by WebSocket, and nothing of what went wrong."""
    driver = make_driver()
    driver.register_adapter("scripted", asking(script, broken))

    async with served(driver) as server, FakePlatform() as platform:
        answer = await platform.post(server.http + "/scripted/", b"x", KNOWN)
        with pytest.raises(Refused) as refused:
            await platform.dial(server.ws + "/scripted/ws", KNOWN)

    assert (answer.status, refused.value.status) == (500, 500)
    assert b"secret" not in answer.body + refused.value.body


async def test_a_peer_sees_503_when_check_permission_hangs(script: Script) -> None:
    """After the time that hooks have."""
    driver = make_driver(slipstream_hook_timeout=0.01)
    driver.register_adapter("scripted", asking(script, hanging))

    async with served(driver) as server, FakePlatform() as platform:
        answer = await platform.post(server.http + "/scripted/", b"x", KNOWN)
        with pytest.raises(Refused) as refused:
            await platform.dial(server.ws + "/scripted/ws", KNOWN)

    assert (answer.status, refused.value.status) == (503, 503)


# WebSockets: coming in


@pytest.mark.parametrize("path", ["/scripted/ws", "/scripted/ws/"])
async def test_a_peer_that_dials_is_among_the_bots_until_it_leaves(script: Script, path: str) -> None:
    """Connect hooks, frames, disconnect hooks, in this order."""
    driver, story = make_driver(script), []
    left = asyncio.Event()

    @driver.on_bot_connect
    async def connected(bot: Bot) -> None:
        story.append(("connected", bot.self_id, list(driver.bots)))

    @driver.on_bot_disconnect
    async def disconnected(bot: Bot) -> None:
        story.append(("disconnected", bot.self_id, list(driver.bots)))
        left.set()

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + path, KNOWN)
        await peer.send("hello")
        await script.messages(1)
        await peer.close()
        await left.wait()

    assert story == [("connected", "1", ["1"]), ("disconnected", "1", [])]


async def test_frames_of_both_kinds_reach_the_handler_as_bytes(script: Script) -> None:
    """A binary frame closed the original's connection."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("text ü")
        await peer.send(b"\x00\xff")
        got = await script.messages(2)

        assert peer.is_open
    assert got == ["text ü".encode(), b"\x00\xff"]


async def test_a_bot_answers_with_text_and_binary(script: Script) -> None:
    """Both ways out."""

    async def handle(bot: Any, message: bytes) -> None:
        await bot.request.send("text")
        await bot.request.send_bytes(b"\xff")

    script.handle = handle
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("go")

        assert [await peer.receive(), await peer.receive()] == ["text", b"\xff"]


async def test_a_dialling_peer_with_a_wrong_token_sees_the_adapters_answer_before_the_upgrade(script: Script) -> None:
    """Status, headers and body; the original sent a bare 403 whatever the adapter said."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        with pytest.raises(Refused) as refused:
            await platform.dial(server.ws + "/scripted/ws", {"authorization": "Bearer guess", "x-self-id": "1"})

    assert (refused.value.status, refused.value.body) == (403, b'{"detail":"wrong token"}')
    assert refused.value.headers["x-hint"] == "ask the admin"


@pytest.mark.parametrize(("settings", "status"), [({}, 418), ({"slipstream_ws_refusal_status": 403}, 403)])
async def test_a_refused_websocket_has_the_status_of_the_adapter_or_of_the_switch(
    script: Script, settings: dict[str, Any], status: int
) -> None:
    """The original's 403 for all is a setting."""
    driver = make_driver(**settings)
    driver.register_adapter("scripted", answering(script, None, HTTPResponse(418)))

    async with served(driver) as server, FakePlatform() as platform:
        with pytest.raises(Refused) as refused:
            await platform.dial(server.ws + "/scripted/ws", KNOWN)

    assert refused.value.status == status


async def test_a_websocket_without_an_id_or_with_an_unknown_adapter_is_a_403(script: Script) -> None:
    """Where nobody says otherwise."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        with pytest.raises(Refused) as nameless:
            await platform.dial(server.ws + "/scripted/ws", {"authorization": "Bearer secret"})
        with pytest.raises(Refused) as unknown:
            await platform.dial(server.ws + "/nobody/ws", KNOWN)

    assert (nameless.value.status, unknown.value.status) == (403, 403)


async def test_an_accepted_websocket_carries_the_adapters_headers(script: Script) -> None:
    """In the answer to the handshake."""
    driver = make_driver()
    driver.register_adapter("scripted", answering(script, "1", HTTPResponse(200, None, {"x-session": "7"})))

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)

        assert peer.response is not None
        assert peer.response.headers["x-session"] == "7"


# The same id again


async def test_a_second_connection_with_an_id_in_use_sees_403_and_the_first_lives(script: Script) -> None:
    """The default: the older stays."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        first = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        with pytest.raises(Refused) as refused:
            await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await first.send("still here")

        assert await script.messages(1) == [b"still here"]
    assert (refused.value.status, refused.value.body) == (403, b'{"detail":"bot \'1\' is connected already"}')


async def test_of_many_that_come_at_once_with_one_id_just_one_gets_in(script: Script) -> None:
    """Between the question who it is and the answer, the others have been asked too."""
    driver, all_asked = make_driver(), asyncio.Barrier(5)

    async def ask() -> Any:
        await all_asked.wait()
        return "1", None

    driver.register_adapter("scripted", asking(script, ask))
    async with served(driver) as server, FakePlatform() as platform:
        dials = [platform.dial(server.ws + "/scripted/ws", KNOWN) for _ in range(5)]
        results = await asyncio.gather(*dials, return_exceptions=True)

        assert list(driver.bots) == ["1"]
    assert sorted(result.status if isinstance(result, Refused) else 101 for result in results) == [101, *[403] * 4]


async def test_by_choice_the_older_connection_is_closed_with_4409_and_the_newer_takes_its_place(
    script: Script,
) -> None:
    """For peers that come back before we have noticed that they were gone."""
    driver = make_driver(script, slipstream_duplicate_ids="replace")

    async with served(driver) as server, FakePlatform() as platform:
        first = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        second = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        end = await first.ended()
        await second.send("me")

        assert await script.messages(1) == [b"me"]
        assert list(driver.bots) == ["1"]
    assert end.code == 4409


async def test_a_peer_that_lingers_after_its_close_frame_frees_its_id_at_once(script: Script) -> None:
    """The original held the id for 10 s."""
    driver, left = make_driver(script), asyncio.Event()

    @driver.on_bot_disconnect
    async def disconnected(bot: Bot) -> None:
        left.set()

    async with served(driver) as server, FakePlatform() as platform:
        first = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        first.linger()
        async with asyncio.timeout(1):
            await left.wait()
        second = await platform.dial(server.ws + "/scripted/ws", KNOWN)

        assert second.is_open
        first.drop()


# Frames that are none


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda peer: peer.bad_text(), 1007),
        (lambda peer: peer.unmasked(), 1002),
        (lambda peer: peer.garbage(b"\xb3\x80\x00\x00\x00\x00"), 1002),
    ],
    ids=["bad UTF-8", "unmasked", "reserved bits and opcode"],
)
async def test_a_malformed_frame_closes_the_connection_with_its_code(script: Script, spoil: Any, code: int) -> None:
    """1007 for text that is no UTF-8, 1002 for what is no frame; nothing reaches the handler."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        spoil(peer)

        assert (await peer.ended()).code == code
    assert script.got.empty()


async def test_a_frame_of_20_mib_is_closed_with_1009_and_one_of_15_is_handled(script: Script) -> None:
    """The limit is 16 MiB."""
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send(bytes(15 * MiB))
        [got] = await script.messages(1)
        await peer.send(bytes(20 * MiB))

        assert (await peer.ended()).code == 1009
    assert len(got) == 15 * MiB


async def test_our_own_limit_holds_where_the_servers_is_wider(script: Script) -> None:
    """Whoever serves the application."""
    driver = make_driver(script, slipstream_ws_max_size=10)

    async with served(driver, ws_max_size=1000) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("x" * 10)
        await peer.send("x" * 11)

        assert (await peer.ended()).code == 1009
    assert script.got.get_nowait() == b"x" * 10


# Handlers and hooks


async def test_a_handler_that_raises_is_logged_and_the_connection_lives(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """The peer sees nothing of it."""

    async def handle(bot: Bot, message: bytes) -> None:
        if message == b"bad":
            raise Broken("on purpose")

    script.handle = handle
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("bad")
        await peer.send("good")

        assert await script.messages(1) == [b"good"]
        assert peer.is_open
    assert "handle_message failed" in caplog.text
    assert "Broken: on purpose" in caplog.text


async def test_a_handler_of_a_post_that_raises_is_logged_and_the_answer_was_200(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """The peer has its answer by then, and would only send the same again."""

    async def handle(bot: Any, message: bytes) -> None:
        if message == b"bad":
            raise Broken("on purpose")

    script.handle = handle
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        answers = [await platform.post(server.http + "/scripted/", body, KNOWN) for body in (b"bad", b"good")]

        assert await script.messages(1) == [b"good"]
    assert [answer.status for answer in answers] == [200, 200]
    assert "handle_message failed" in caplog.text


async def test_frames_are_handled_in_order_though_the_first_handler_is_slow(script: Script) -> None:
    """The original started all at once; the peer can send on meanwhile."""
    go_on = asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        if message == b"0":
            await go_on.wait()

    script.handle = handle
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        for number in range(50):
            await peer.send(str(number))
        before = script.got.qsize()
        go_on.set()

        assert await script.messages(50) == [str(number).encode() for number in range(50)]
    assert before == 0


async def test_a_peer_that_floods_does_not_keep_another_from_being_heard(script: Script) -> None:
    """One read of its socket brings thousands of frames, and their handler never waits."""
    handled: list[str] = []
    heard = asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        handled.append(bot.self_id)
        if bot.self_id == "2":
            heard.set()

    script.handle = handle
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        loud = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        quiet = await platform.dial(server.ws + "/scripted/ws", {**KNOWN, "x-self-id": "2"})
        for number in range(20_000):
            await loud.send(str(number))
        await quiet.send("hello")
        await heard.wait()
        before = len(handled)
        got = await script.messages(20_001)

    assert before < 20_000
    assert [message for message in got if message != b"hello"] == [str(number).encode() for number in range(20_000)]


async def test_by_choice_several_handlers_run_at_once(script: Script) -> None:
    """For programs that depend on what the original did."""
    both = asyncio.Barrier(2)

    async def handle(bot: Bot, message: bytes) -> None:
        await both.wait()

    script.handle = handle
    driver = make_driver(script, slipstream_concurrency=2)
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("1")
        await peer.send("2")

        assert sorted(await script.messages(2)) == [b"1", b"2"]


async def test_by_choice_a_peer_that_is_faster_than_the_handler_is_closed_with_1013(script: Script) -> None:
    """And a POST is answered with 503, to be sent again."""
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        begun.set()
        await go_on.wait()

    script.handle = handle
    driver = make_driver(script, slipstream_queue=1, slipstream_queue_policy="close")
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("1")
        await begun.wait()
        await peer.send("2")
        await peer.send("3")
        end = await peer.ended()
        answer = await platform.post(server.http + "/scripted/", b"4", KNOWN)
        go_on.set()

        assert await script.messages(2) == [b"1", b"2"]
    assert end.code == 1013
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_by_choice_the_oldest_frame_that_waits_is_dropped(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """And counted in the log."""
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def handle(bot: Bot, message: bytes) -> None:
        begun.set()
        if message == b"1":
            await go_on.wait()

    script.handle = handle
    driver = make_driver(script, slipstream_queue=1, slipstream_queue_policy="drop_oldest")
    async with served(driver) as server, FakePlatform() as platform:
        for message in (b"1", b"2", b"3"):
            await platform.post(server.http + "/scripted/", message, KNOWN)
            await begun.wait()
        go_on.set()

        assert await script.messages(2) == [b"1", b"3"]
    assert "1 frames dropped so far" in caplog.text


async def test_a_connect_hook_that_raises_is_logged_and_the_connection_lives(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """The other hooks are called, frames are handled."""
    driver, called = make_driver(script), asyncio.Event()

    @driver.on_bot_connect
    async def fails(bot: Bot) -> None:
        raise Broken("on purpose")

    @driver.on_bot_connect
    async def works(bot: Bot) -> None:
        called.set()

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("hello")

        assert await script.messages(1) == [b"hello"]
        assert called.is_set()
        assert peer.is_open
    assert "fails failed" in caplog.text


async def test_an_id_writes_no_lines_of_its_own_into_the_log(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """An adapter may take it from the address, where `%0A` is a line break."""
    driver, forged = make_driver(), "1\nERROR all is lost"
    driver.register_adapter("scripted", answering(script, forged, None))

    @driver.on_bot_connect
    async def fails(bot: Bot) -> None:
        raise Broken("on purpose")

    async def handle(bot: Bot, message: bytes) -> None:
        raise Broken("on purpose")

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws")
        await peer.send("hello")
        with pytest.raises(Refused):
            await platform.dial(server.ws + "/scripted/ws")
        await peer.close()

    lines = [record.getMessage() for record in caplog.records if record.name == "slipstream.bots"]
    assert len(lines) == 3
    assert all("\\x0aERROR all is lost" in line and "\n" not in line for line in lines)


async def test_a_connect_hook_that_hangs_is_given_up_and_frames_are_handled(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """After the time that hooks have; the peer sees nothing of it."""
    driver = make_driver(script, slipstream_hook_timeout=0.01)

    @driver.on_bot_connect
    async def hangs(bot: Bot) -> None:
        await asyncio.Event().wait()

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("hello")

        assert await script.messages(1) == [b"hello"]
    assert "hangs took more than 0.01 seconds" in caplog.text


async def test_frames_wait_until_the_connect_hooks_are_through(script: Script) -> None:
    """A handler finds what a hook has prepared."""
    driver, go_on, story = make_driver(script), asyncio.Event(), []

    @driver.on_bot_connect
    async def prepares(bot: Bot) -> None:
        await go_on.wait()
        story.append("hook")

    async def handle(bot: Bot, message: bytes) -> None:
        story.append("handler")

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("hello")
        go_on.set()
        await script.messages(1)

    assert story == ["hook", "handler"]


# Peers that are there and are not


async def test_a_half_open_peer_is_noticed_by_pings_and_its_id_is_free(script: Script) -> None:
    """Every 20 s by default."""
    driver, left = make_driver(script), asyncio.Event()

    @driver.on_bot_disconnect
    async def disconnected(bot: Bot) -> None:
        left.set()

    async with served(driver, ws_ping_interval=0.02, ws_ping_timeout=0.05) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        peer.half_open()
        await left.wait()

        assert (await platform.dial(server.ws + "/scripted/ws", KNOWN)).is_open


async def test_a_peer_that_takes_nothing_is_let_go(script: Script) -> None:
    """After 10 s by default; whoever sends is told."""
    driver, outcome = make_driver(script, slipstream_write_timeout=0.05), asyncio.Queue[Any]()

    async def handle(bot: Any, message: bytes) -> None:
        try:
            while True:
                await bot.request.send_bytes(bytes(MiB))
        except WebSocketClosed as closed:
            outcome.put_nowait((str(closed), driver.bots))

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("go")
        peer.half_open()

        assert await outcome.get() == ("the WebSocket is closed (no close frame the peer takes nothing)", {})
        peer.drop()


# API calls over the connection


async def test_a_handler_gets_the_answer_to_its_api_call_from_a_later_frame(script: Script) -> None:
    """Though frames are handled in order; this is what adapters of the original do."""

    async def handle(bot: Bot, message: bytes) -> None:
        script.got.put_nowait(await bot.get_name(user=1))

    script.handle = handle
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("who?")
        asked = await peer.receive_json()
        await peer.send_json({"echo": "get_name", "data": "Ada"})

        assert await script.messages(2) == ["Ada", b"who?"]
    assert asked == {"api": "get_name", "echo": "get_name", "user": 1}


async def test_a_connect_hook_can_call_the_api(script: Script) -> None:
    """Though frames wait for the hooks."""
    driver, name = make_driver(script), asyncio.get_running_loop().create_future()

    @driver.on_bot_connect
    async def asks(bot: Bot) -> None:
        name.set_result(await bot.get_name())

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.receive()
        await peer.send_json({"echo": "get_name", "data": "Ada"})

        assert await name == "Ada"


@pytest.mark.parametrize("end", [lambda peer: peer.drop(), lambda peer: peer.linger()], ids=["drop", "close"])
async def test_an_api_call_in_flight_fails_at_once_when_the_connection_ends(script: Script, end: Any) -> None:
    """In the original it hung to its time-out."""
    outcome: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def handle(bot: Bot, message: bytes) -> None:
        try:
            await bot.get_name()
        except CallInterrupted as error:
            outcome.set_result(error)

    script.handle = handle
    async with served(make_driver(script)) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("go")
        await peer.receive()
        end(peer)
        async with asyncio.timeout(1):
            error = await outcome

    assert str(error) == "the connection of bot '1' ended during the API call 'get_name'"


async def test_a_bot_whose_peer_is_gone_can_neither_send_nor_call(script: Script) -> None:
    """Both fail at once, with a type of our own."""
    driver, gone = make_driver(script), asyncio.get_running_loop().create_future()

    @driver.on_bot_disconnect
    async def disconnected(bot: Bot) -> None:
        gone.set_result(bot)

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.close(4000, "enough")
        bot = await gone
        with pytest.raises(WebSocketClosed) as closed:
            await bot.request.send("hello")
        with pytest.raises(CallInterrupted):
            await bot.get_name()

    assert bot.request.closed
    assert (closed.value.code, closed.value.reason) == (4000, "enough")


async def test_a_bot_can_end_its_connection_with_a_code(script: Script) -> None:
    """The peer sees it, and the id is free at once."""
    driver = make_driver(script)

    async def handle(bot: Any, message: bytes) -> None:
        await bot.request.close(4001)
        assert driver.bots == {}

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("go")

        assert (await peer.ended()).code == 4001
        assert await script.messages(1) == [b"go"]


async def test_a_bot_that_closes_with_an_impossible_code_is_told_and_goes_on(script: Script) -> None:
    """1006 is no code to send; half of a close would leave a bot that is nowhere."""
    driver = make_driver(script)

    async def close(bot: Any, message: bytes) -> None:
        with pytest.raises(ValueError, match="code=1006"):
            await bot.request.close(1006)

    script.handle = close
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("close")

        assert await script.messages(1) == [b"close"]
        assert peer.is_open
        assert list(driver.bots) == ["1"]


async def test_whoever_waits_in_receive_gets_the_next_frame(script: Script) -> None:
    """And `handle_message` does not; text or bytes as is asked for."""
    driver, got = make_driver(script), asyncio.Queue[Any]()

    @driver.on_bot_connect
    async def greets(bot: Any) -> None:
        await bot.request.send("who are you?")
        got.put_nowait(await bot.request.receive())
        await bot.request.send("and?")
        got.put_nowait(await bot.request.receive_bytes())

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.receive()
        await peer.send(b"Ada")
        await peer.receive()
        await peer.send("Bob")
        await peer.send("an event")

        assert [await got.get(), await got.get()] == ["Ada", b"Bob"]
        assert await script.messages(1) == [b"an event"]


async def test_whoever_no_longer_waits_in_receive_gets_nothing(script: Script) -> None:
    """The frame goes to `handle_message`; one who waits when the connection ends is told."""
    driver, ready, ended = make_driver(script), asyncio.Event(), asyncio.get_running_loop().create_future()
    left: list[int] = []

    @driver.on_bot_connect
    async def gives_up(bot: Any) -> None:
        waiting = asyncio.create_task(bot.request.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        left.append(len(bot.request.waiting))
        ready.set()

    async def handle(bot: Any, message: bytes) -> None:
        try:
            await bot.request.receive()
        except WebSocketClosed as closed:
            ended.set_result(closed.code)

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await ready.wait()
        await peer.send("for the handler")
        while not driver.bots["1"].request.waiting:
            await asyncio.sleep(0)
        await peer.close(4003)

        assert await ended == 4003
        assert await script.messages(1) == [b"for the handler"]
    assert left == [0], "who asks again and again with a limit leaves nothing behind"


async def test_a_frame_whose_receiver_is_cancelled_is_not_lost(script: Script) -> None:
    """It goes to the next who waits, or to `handle_message`: here both have been cancelled before they ran."""
    driver, left = make_driver(script), asyncio.Event()

    async def handle(bot: Any, message: bytes) -> None:
        if message != b"begin":
            return
        first, second = (asyncio.create_task(bot.request.receive()) for _ in range(2))
        await asyncio.sleep(0)
        assert bot.request.take("for the first")  # as the driver does when a frame has come
        first.cancel()
        await asyncio.wait({second})
        assert second.result() == "for the first"
        third = asyncio.create_task(bot.request.receive())
        await asyncio.sleep(0)
        assert bot.request.take("for nobody")
        third.cancel()
        await asyncio.wait({third})
        left.set()

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("begin")

        assert await script.messages(2) == [b"begin", b"for nobody"]
        assert left.is_set()


# The end


async def no_longer_listening(server: Running, platform: FakePlatform) -> None:
    """Dial until the server refuses: it looks for the signal to stop ten times a second."""
    while True:
        try:
            late = await platform.dial(server.ws + "/scripted/ws", {**KNOWN, "x-self-id": "2"})
        except (Refused, OSError):
            return
        await late.close()


async def test_shutdown_waits_for_handlers_and_then_closes_with_1012(script: Script) -> None:
    """What has been received is handled, and its answer reaches the peer before the goodbye."""
    driver, begun, go_on, story = make_driver(script), asyncio.Event(), asyncio.Event(), []

    @driver.on_bot_disconnect
    async def disconnected(bot: Bot) -> None:
        story.append("disconnect hook")

    @driver.on_shutdown
    async def stopped() -> None:
        story.append("shutdown hook")

    async def handle(bot: Any, message: bytes) -> None:
        begun.set()
        await go_on.wait()
        await bot.request.send("done")

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("go")
        await begun.wait()
        server.stop()
        await no_longer_listening(server, platform)
        go_on.set()

        assert await peer.receive() == "done"
        end = await peer.ended()
    assert (end.code, end.reason) == (1012, "service restart")
    assert story[-2:] == ["disconnect hook", "shutdown hook"]


async def test_served_by_another_command_peers_see_1012_and_handlers_still_get_their_time(script: Script) -> None:
    """uvicorn says goodbye itself, before the application is told to stop."""
    driver, begun, go_on = make_driver(script), asyncio.Event(), asyncio.Event()

    async def handle(bot: Any, message: bytes) -> None:
        begun.set()
        await go_on.wait()

    script.handle = handle
    async with served(driver, is_plain=True) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("go")
        await begun.wait()
        server.stop()
        end = await peer.ended()
        go_on.set()
        await server.task

    assert end.code == 1012
    assert await script.messages(1) == [b"go"]


async def test_a_driver_can_be_served_again_after_it_was_stopped(script: Script) -> None:
    """As test clients do, over and over."""
    driver = make_driver(script)

    for _ in range(2):
        async with served(driver) as server, FakePlatform() as platform:
            peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
            await peer.send("hello")

            assert await script.messages(1) == [b"hello"]


async def test_a_start_up_hook_that_raises_ends_the_server_and_closes_the_links(script: Script) -> None:
    """Before anybody is served; the shutdown hooks are called."""
    driver, stopped = make_driver(script), []

    @driver.on_startup
    async def fails() -> None:
        raise Broken("on purpose")

    driver.on_shutdown(lambda: stopped.append(True))

    with pytest.raises(Broken):
        async with driver.asgi.router.lifespan_context(driver.asgi):
            pytest.fail("it started")
    assert stopped == [True]
    assert not driver.links.is_running


async def test_a_shutdown_hook_that_raises_does_not_keep_the_others_from_being_called(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""
    driver, stopped = make_driver(script), []

    @driver.on_shutdown
    async def fails() -> None:
        raise Broken("on purpose")

    driver.on_shutdown(lambda: stopped.append(True))
    async with driver.asgi.router.lifespan_context(driver.asgi):
        pass

    assert stopped == [True]
    assert "a shutdown hook failed" in caplog.text


async def test_a_peer_that_comes_while_the_server_stops_sees_503(script: Script) -> None:
    """By POST and by WebSocket."""
    driver = make_driver(script)

    async with served(driver) as server, FakePlatform() as platform:
        await driver.hub.drain()
        answer = await platform.post(server.http + "/scripted/", b"x", KNOWN)
        with pytest.raises(Refused) as refused:
            await platform.dial(server.ws + "/scripted/ws", KNOWN)

    assert (answer.status, refused.value.status) == (503, 503)


async def test_a_server_that_cannot_refuse_with_an_answer_closes_with_1008(script: Script) -> None:
    """Which servers turn into a 403."""
    driver, sent = make_driver(script), []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/scripted/ws",
        "raw_path": b"/scripted/ws",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "subprotocols": [],
    }
    await driver.asgi(scope, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "wrong token"}]


async def test_an_adapter_that_takes_replies_gets_its_events_strictly_in_order(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """The next event waits although an API call is in flight; a reply that cannot be read harms nobody."""
    driver = make_driver()

    class Strict(bot_class(script)):  # type: ignore[misc]
        def take_reply(self, message: bytes) -> bool:
            if message == b"bad":
                raise Broken("on purpose")
            if not message.startswith(b'{"echo"'):
                return False
            reply = json.loads(message)
            script.replies[reply["echo"]].set_result(reply["data"])
            return True

    async def handle(bot: Bot, message: bytes) -> None:
        if message == b"1":
            script.got.put_nowait(await bot.get_name())

    script.handle = handle
    driver.register_adapter("scripted", Strict)
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("1")
        await peer.receive()
        await peer.send("bad")
        await peer.send("2")
        await peer.send_json({"echo": "get_name", "data": "Ada"})

        assert await script.messages(4) == ["Ada", b"1", b"bad", b"2"]
    assert "take_reply failed" in caplog.text


def test_a_test_client_drives_the_application_with_and_without_its_lifespan(script: Script) -> None:
    """As programs test their bots: in process."""

    async def handle(bot: Any, message: bytes) -> None:
        if bot.request.type == "websocket":
            await bot.request.send(f"heard {message.decode()}")

    script.handle = handle
    driver = make_driver(script)

    def talk(client: TestClient) -> None:
        assert client.post("/scripted/", content=b"x", headers=KNOWN).status_code == 200
        for path in ("/scripted/ws", "/scripted/ws/"):
            with client.websocket_connect(path, headers=dict(KNOWN)) as session:
                session.send_bytes(b"it")
                assert session.receive_text() == "heard it"
                assert list(driver.bots) == ["1"]
            assert driver.bots == {}
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/scripted/ws"):
            pass
        assert denied.value.status_code == 403

    talk(TestClient(driver.asgi))
    with TestClient(driver.asgi) as client:
        talk(client)


async def test_a_post_from_many_ids_leaves_no_queue_behind(script: Script) -> None:
    """Memory does not grow with the ids that peers make up."""
    driver = make_driver(script)

    async with served(driver) as server, FakePlatform() as platform:
        for number in range(5):
            await platform.post(server.http + "/scripted/", b"x", {**KNOWN, "x-self-id": str(number)})
        await script.messages(5)
        await driver.hub.settle()

        assert driver.hub._channels == {}


async def test_a_program_may_wrap_a_websocket_of_its_own(script: Script) -> None:
    """The class works without the driver: accept, receive, send, close, and the end of it."""
    driver, ends = make_driver(script), asyncio.Queue[Any]()

    @driver.server_app.websocket("/own")
    async def own(websocket: ServerSocket) -> None:
        socket = WebSocket.incoming(websocket)
        assert not socket.closed
        await socket.accept()
        await socket.accept()
        await socket.send(f"text {await socket.receive()}")
        await socket.send_bytes(b"bytes " + await socket.receive_bytes())
        try:
            await socket.receive()
        except WebSocketClosed as closed:
            ends.put_nowait((closed.code, closed.reason, socket.closed))
        with pytest.raises(WebSocketClosed):
            await socket.receive()
        await socket.close()

    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/own")
        await peer.send(b"1")
        await peer.send("2")
        heard = [await peer.receive(), await peer.receive()]
        await peer.close(4000, "bye")

        assert await ends.get() == (4000, "bye", True)
    assert heard == ["text 1", b"bytes 2"]


async def test_a_websocket_without_a_connection_is_closed() -> None:
    """As one that a program makes by hand."""
    socket = WebSocket("1.1", "ws", "/")

    assert socket.closed
    await socket.close()
    with pytest.raises(WebSocketClosed, match="no close frame"):
        await socket.send("x")
    with pytest.raises(WebSocketClosed):
        await socket.receive()


async def test_shutdown_does_not_wait_for_ever(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """What is not handled in time is cancelled, and counted in the log."""
    driver, begun = make_driver(script, slipstream_drain_timeout=0.01), asyncio.Event()

    async def handle(bot: Any, message: bytes) -> None:
        begun.set()
        await asyncio.Event().wait()

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("1")
        await peer.send("2")
        await begun.wait()
        server.stop()

        assert (await peer.ended()).code == 1012
    assert "2 frames were received and not handled in time" in caplog.text
    assert "the queue is full" not in caplog.text


async def test_what_comes_while_the_server_stops_is_counted(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """Each frame is one of what `peers()` tells, and the log says how many were let go."""
    driver, begun, go_on = make_driver(script), asyncio.Event(), asyncio.Event()

    async def handle(bot: Any, message: bytes) -> None:
        begun.set()
        await go_on.wait()

    def counts() -> dict[str, int]:
        (peer,) = driver.peers()
        found: dict[str, int] = peer["counts"]
        return found

    script.handle = handle
    async with served(driver) as server, FakePlatform() as platform:
        peer = await platform.dial(server.ws + "/scripted/ws", KNOWN)
        await peer.send("handled")
        await begun.wait()
        server.stop()
        await no_longer_listening(server, platform)
        await peer.send("too late")
        while not counts()["refused"]:
            await asyncio.sleep(0)
        seen = counts()
        go_on.set()
        await peer.ended()

    assert (seen["received"], seen["refused"], seen["handled"]) == (2, 1, 0)
    assert "0 frames were received and not handled in time, 1 read and refused" in caplog.text


async def test_what_the_driver_serves_is_in_the_application_as_other_routes_are(script: Script) -> None:
    """They are compiled; a program adds its own beside them, documented by choice."""
    driver = make_driver(script, fastapi_openapi_url="/openapi.json")

    @driver.server_app.get("/me/{number}")
    async def me(number: int) -> int:
        return number

    source = "\n".join(getattr(route, "source", "") for route in driver.server_app.routes)
    paths = driver.server_app.openapi()["paths"]

    assert "receive_event" in source
    assert set(paths) == {"/{adapter}/", "/{adapter}/http", "/{adapter}/http/", "/me/{number}"}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """uvicorn reports each answer that refuses a handshake as an error; it is none."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
