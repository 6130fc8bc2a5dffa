"""Further adapters from the registry on our driver; each has its own mixture of what we serve and what we dial."""

import asyncio
import json
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.loops import run
from tests.peers import served

from .support import Platform, bot, connect


class Speaking(Platform):
    """A platform that also takes WebSockets, and tells each newcomer something.

    Args:
        path: Where its API is.
        answers: What its methods answer.
        link: Where its WebSocket is.
        greeting: What it answers to the first frame, if it waits for one.
        events: What it says.
    """

    def __init__(
        self, path: str, answers: dict[str, Any], *, link: str, events: list[Any], greeting: Any = None
    ) -> None:
        super().__init__(path, answers)
        self.greeting, self.events = greeting, events
        self.opened: asyncio.Queue[WebSocket] = asyncio.Queue()
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.app.router.routes.append(WebSocketRoute(link, self.talk))

    async def talk(self, link: WebSocket) -> None:
        """Talk until the bot leaves."""
        await link.accept()
        self.opened.put_nowait(link)
        if self.greeting is not None:
            self.heard.put_nowait(await link.receive_json())
            await link.send_json(self.greeting)
        for event in self.events:
            await link.send_json(event)
        try:
            while True:
                self.heard.put_nowait(await link.receive_json())
        except WebSocketDisconnect:
            pass


def test_satori_dials_is_let_in_and_answers_by_http() -> None:
    """Its bot holds a session of ours for its whole life."""
    login = {
        "sn": 1,
        "status": 1,
        "adapter": "test",
        "platform": "chronocat",
        "user": {"id": "10001", "name": "slip"},
        "features": [],
    }
    event = {
        "sn": 1,
        "type": "message-created",
        "timestamp": 1700000000000,
        "login": login,
        "channel": {"id": "c7", "type": 1},
        "user": {"id": "42", "name": "somebody"},
        "message": {"id": "m1", "content": "hello"},
    }
    platform = Speaking(
        "/v1/{method}",
        {"message.create": [{"id": "m2", "content": "you said: hello"}]},
        link="/v1/events",
        greeting={"op": 4, "body": {"logins": [login], "proxy_urls": []}},
        events=[{"op": 0, "body": event}],
    )

    async def scenario() -> None:
        async with served(platform.app) as port:
            clients = [{"host": "127.0.0.1", "port": port, "token": "hush"}]
            async with bot("nonebot.adapters.satori", satori_clients=clients) as process:
                await process.says("connected chronocat:10001")
                request, given = await platform.call("message.create")

                assert (await platform.heard.get())["body"]["token"] == "hush"
                assert given == {"channel_id": "c7", "content": "you said: hello"}
                assert request.headers["authorization"] == "Bearer hush"

    run(scenario())


def milky_message(text: str) -> dict[str, Any]:
    """A message of a friend."""
    friend = {
        "user_id": 42,
        "nickname": "somebody",
        "sex": "unknown",
        "qid": "",
        "remark": "",
        "category": {"category_id": 0, "category_name": "friends"},
    }
    return {
        "event_type": "message_receive",
        "time": 1700000000,
        "self_id": 10001,
        "data": {
            "message_scene": "friend",
            "peer_id": 42,
            "message_seq": 7,
            "sender_id": 42,
            "time": 1700000000,
            "segments": [{"type": "text", "data": {"text": text}}],
            "friend": friend,
        },
    }


def ok(data: Any) -> dict[str, Any]:
    """An answer of Milky's."""
    return {"status": "ok", "retcode": 0, "data": data}


MILKY = {
    "get_login_info": ok({"uin": 10001, "nickname": "slip"}),
    "send_private_message": ok({"message_seq": 8, "time": 1700000001}),
}


def test_milky_dials_and_answers_by_http() -> None:
    """Its token goes in the query of one and in a header of the other."""
    platform = Speaking("/api/{method}", MILKY, link="/event", events=[milky_message("hello")])

    async def scenario() -> None:
        async with served(platform.app) as port:
            clients = [{"host": "127.0.0.1", "port": port, "access_token": "hush"}]
            async with bot("nonebot.adapters.milky", milky_clients=clients) as process:
                await process.says("connected 10001")
                request, given = await platform.call("send_private_message")

                assert (await platform.opened.get()).query_params["access_token"] == "hush"
                assert request.headers["authorization"] == "Bearer hush"
                assert given["user_id"] == 42
                assert given["message"][0]["data"]["text"] == "you said: hello"

    run(scenario())


def test_a_webhook_of_milky_reaches_the_bot() -> None:
    """With the token, and not without."""
    platform = Platform("/api/{method}", MILKY)

    async def scenario() -> None:
        async with served(platform.app) as port:
            hook = {"host": "127.0.0.1", "port": port, "access_token": "hush"}
            async with bot("nonebot.adapters.milky", milky_webhook=hook) as process:
                body = json.dumps(milky_message("hook")).encode()
                refused, _ = await process.post("/milky/", body, {})
                taken, _ = await process.post("/milky/", body, {"Authorization": "Bearer hush"})
                _, given = await platform.call("send_private_message")

                assert (refused, taken) == (401, 204)
                assert given["message"][0]["data"]["text"] == "you said: hook"

    run(scenario())


CHAT = {
    "timestamp": 1700000000,
    "post_type": "message",
    "event_name": "PlayerChatEvent",
    "sub_type": "player_chat",
    "server_name": "survival",
    "server_version": "1.21",
    "server_type": "spigot",
    "message_id": "m1",
    "message": "hello",
    "raw_message": "hello",
    "player": {"nickname": "steve", "uuid": "069a79f4-44e9-4726-a5be-fca90e38aaf5"},
}


def test_a_minecraft_server_dials_the_bot_and_both_talk() -> None:
    """The account is the name of the server, escaped in a header."""

    async def scenario() -> None:
        async with bot("nonebot.adapters.minecraft", minecraft_access_token="hush") as process:
            headers = {"X-Self-Name": "survival", "Authorization": "Bearer hush"}
            url = f"ws://127.0.0.1:{process.port}/minecraft/ws"
            async with connect(url, additional_headers=headers, proxy=None) as link:
                await link.send(json.dumps(CHAT))
                call = json.loads(await link.recv())
                await link.send(json.dumps({"post_type": "response", "status": "SUCCESS", "echo": call["echo"]}))
                assert call["api"] == "send_msg"
                assert "you said: hello" in json.dumps(call["data"])

    run(scenario())


def test_the_bot_dials_a_minecraft_server_and_both_talk() -> None:
    """The same frames the other way round."""
    platform = Speaking("/{method}", {}, link="/", events=[CHAT])

    async def scenario() -> None:
        async with served(platform.app) as port:
            urls = {"survival": [f"ws://127.0.0.1:{port}/"]}
            async with bot("nonebot.adapters.minecraft", minecraft_ws_urls=urls) as process:
                await process.says("connected survival")
                call = await platform.heard.get()
                link = await platform.opened.get()
                await link.send_json({"post_type": "response", "status": "SUCCESS", "echo": call["echo"]})

                assert link.headers["x-self-name"] == "survival"
                assert "you said: hello" in json.dumps(call["data"])

    run(scenario())
