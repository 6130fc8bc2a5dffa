"""The OneBot V11 adapter, from the registry, on our driver: every way that it has to reach a platform."""

import asyncio
import hmac
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.loops import run
from tests.peers import served

from .support import Platform, bot, connect, serve

ONEBOT = "nonebot.adapters.onebot.v11"
TOKEN = {"Authorization": "Bearer hush"}


def greeting(self_id: int) -> dict[str, Any]:
    """The event that a link begins with."""
    return {
        "time": 1,
        "self_id": self_id,
        "post_type": "meta_event",
        "meta_event_type": "lifecycle",
        "sub_type": "connect",
    }


def message(text: str, self_id: int = 10001) -> dict[str, Any]:
    """A private message."""
    return {
        "time": 1700000000,
        "self_id": self_id,
        "post_type": "message",
        "message_type": "private",
        "sub_type": "friend",
        "message_id": 7,
        "user_id": 42,
        "message": [{"type": "text", "data": {"text": text}}],
        "raw_message": text,
        "font": 0,
        "sender": {"user_id": 42, "nickname": "somebody", "sex": "unknown", "age": 0},
    }


async def answered(link: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Take the next API call from a link and answer it."""
    call: dict[str, Any] = json.loads(await link.recv())
    await link.send(json.dumps({"status": "ok", "retcode": 0, "data": data, "echo": call["echo"]}))
    return call


async def converse(link: Any, self_id: int = 10001) -> None:
    """Say something; let the bot ask for its name first, when told to; check what comes back."""
    await link.send(json.dumps(message("héllo 🎉", self_id)))
    call = await answered(link, {"message_id": 1})
    assert call["action"] == "send_msg"
    assert call["params"]["message"][0]["data"]["text"] == "you said: héllo 🎉"
    await link.send(json.dumps(message("who", self_id)))
    assert (await answered(link, {"user_id": self_id, "nickname": "Slip"}))["action"] == "get_login_info"
    call = await answered(link, {"message_id": 2})
    assert call["params"]["message"][0]["data"]["text"] == "I am Slip"


@pytest.mark.parametrize("path", ["/onebot/v11/ws", "/onebot/v11/ws/", "/onebot/v11/"])
def test_a_platform_dials_the_bot_and_both_talk(path: str) -> None:
    """Reverse WebSocket is how most accounts are run."""

    async def scenario() -> None:
        async with bot(ONEBOT, onebot_access_token="hush") as process:
            url = f"ws://127.0.0.1:{process.port}{path}"
            async with connect(url, additional_headers={"X-Self-ID": "10001", **TOKEN}, proxy=None) as link:
                await link.send(json.dumps(greeting(10001)))
                await process.says("connected 10001")
                await converse(link)
            await process.says("disconnected 10001")
            async with connect(url, additional_headers={"X-Self-ID": "10001", **TOKEN}, proxy=None) as link:
                await link.send(json.dumps(message("again")))
                assert (await answered(link, {"message_id": 3}))["action"] == "send_msg"

    run(scenario())


@pytest.mark.parametrize(
    "headers",
    [{"X-Self-ID": "10001"}, {"X-Self-ID": "10001", "Authorization": "Bearer guess"}, TOKEN],
    ids=["no token", "wrong token", "no id"],
)
def test_who_may_not_connect_is_refused_before_the_upgrade(headers: dict[str, str]) -> None:
    """The adapter closes before it accepts; on the wire that is a 403."""

    async def scenario() -> None:
        async with bot(ONEBOT, onebot_access_token="hush") as process:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{process.port}/onebot/v11/ws", additional_headers=headers, proxy=None)

            assert refused.value.response.status_code == 403

    run(scenario())


def test_a_second_connection_of_an_account_is_refused_and_the_first_lives_on() -> None:
    """Two processes of a platform with one account must not take turns."""

    async def scenario() -> None:
        async with bot(ONEBOT) as process:
            url, headers = f"ws://127.0.0.1:{process.port}/onebot/v11/ws", {"X-Self-ID": "10001"}
            async with connect(url, additional_headers=headers, proxy=None) as link:
                await process.says("connected 10001")
                with pytest.raises(InvalidStatus):
                    await connect(url, additional_headers=headers, proxy=None)
                await converse(link)

    run(scenario())


def test_the_bot_stops_with_a_close_frame_to_those_who_dialled_it() -> None:
    """A platform that is told can dial again at once; one that is not waits for a time-out."""

    async def scenario() -> None:
        async with bot(ONEBOT) as process:
            link = await connect(
                f"ws://127.0.0.1:{process.port}/onebot/v11/ws", additional_headers={"X-Self-ID": "10001"}, proxy=None
            )
            await process.says("connected 10001")
        await link.wait_closed()

        assert link.close_code == 1012

    run(scenario())


@pytest.mark.parametrize(
    "driver", ["slipstream.bots.nonebot", "~none+slipstream.bots.nonebot", "~fastapi+slipstream.bots.nonebot"]
)
def test_the_bot_dials_a_platform_and_both_talk(driver: str) -> None:
    """Forward WebSocket; also with our clients beneath NoneBot's own servers."""

    async def scenario() -> None:
        talked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def platform(link: Any) -> None:
            assert link.request.headers["Authorization"] == "Bearer hush"
            await link.send(json.dumps(greeting(10001)))
            try:
                await converse(link)
                talked.set_result(None)
            except BaseException as failed:
                talked.set_exception(failed)
                raise
            await link.wait_closed()
            left.set_result(link.close_code)

        async with serve(platform, "127.0.0.1", 0) as gate:
            url = f"ws://127.0.0.1:{gate.sockets[0].getsockname()[1]}/"
            async with bot(ONEBOT, driver, onebot_ws_urls=[url], onebot_access_token="hush") as process:
                await process.says("connected 10001")
                await talked

            assert await left in (1000, 1001)

    run(scenario())


def test_a_signed_post_reaches_the_bot_and_its_answer_goes_by_http() -> None:
    """HTTP both ways; the signature is over the very bytes of the body."""

    async def scenario() -> None:
        platform = Platform("/{method}", {"send_msg": {"status": "ok", "retcode": 0, "data": {"message_id": 1}}})
        async with served(platform.app) as port:
            settings = {"onebot_secret": "sesame", "onebot_access_token": "hush"}
            async with bot(ONEBOT, onebot_api_roots={"10001": f"http://127.0.0.1:{port}/"}, **settings) as process:
                body = json.dumps(message("hello")).encode()
                signature = "sha1=" + hmac.new(b"sesame", body, "sha1").hexdigest()
                headers = {"X-Self-ID": "10001", "Content-Type": "application/json"}
                for path in ("/onebot/v11/", "/onebot/v11/http", "/onebot/v11/http/"):
                    status, _ = await process.post(path, body, {**headers, "X-Signature": signature})
                    assert status == 204
                    request, given = await platform.call("send_msg")
                    assert request.headers["authorization"] == "Bearer hush"
                    assert given["message"][0]["data"]["text"] == "you said: hello"

                forged = await process.post("/onebot/v11/", body, {**headers, "X-Signature": "sha1=00"})
                unsigned = await process.post("/onebot/v11/", body, headers)
                assert (forged[0], unsigned[0]) == (403, 401)

    run(scenario())
