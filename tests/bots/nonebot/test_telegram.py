"""The Telegram adapter, from the registry, on our driver, against a Bot API of our own."""

import asyncio
import json
from typing import Any

from tests.loops import run
from tests.peers import served

from .support import Platform, bot

TELEGRAM = "nonebot.adapters.telegram"
TOKEN = "4242:secret"
ME = {"id": 4242, "is_bot": True, "first_name": "Slip", "username": "slip_bot"}


def update(number: int, text: str) -> dict[str, Any]:
    """A private message, as the Bot API tells it."""
    return {
        "update_id": number,
        "message": {
            "message_id": number,
            "date": 1700000000,
            "chat": {"id": 77, "type": "private", "first_name": "Ann"},
            "from": {"id": 77, "is_bot": False, "first_name": "Ann"},
            "text": text,
        },
    }


class BotAPI(Platform):
    """Telegram: updates wait until they are asked for with a higher offset."""

    def __init__(self) -> None:
        sent = {"ok": True, "result": update(1, "sent")["message"]}
        super().__init__(
            f"/bot{TOKEN}/{{method}}",
            {
                "getMe": {"ok": True, "result": ME},
                "deleteWebhook": {"ok": True, "result": True},
                "setWebhook": {"ok": True, "result": True},
                "getUpdates": self.updates_after,
                "sendMessage": sent,
                "sendDocument": sent,
            },
        )
        self.updates: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.offsets: list[int | None] = []

    def publish(self, *updates: dict[str, Any]) -> None:
        """Add updates, and wake who polls."""
        self.updates += updates
        self.news.set()

    async def updates_after(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer a poll: at once if there is news, else when there is."""
        offset = int(given.get("offset") or 0)
        self.offsets.append(offset or None)
        while not (found := [each for each in self.updates if each["update_id"] >= offset]):
            self.news.clear()
            await self.news.wait()
        return {"ok": True, "result": found}


def test_a_bot_polls_for_updates_and_answers_each_once() -> None:
    """Long polling: the next poll waits at the server, and its offset confirms what was handled."""

    async def scenario() -> None:
        api = BotAPI()
        async with served(api.app) as port:
            bots = [{"token": TOKEN, "api_server": f"http://127.0.0.1:{port}/"}]
            async with bot(TELEGRAM, telegram_bots=bots) as process:
                await process.says("connected 4242")
                api.publish(update(10, "one"))
                _, first = await api.call("sendMessage")
                api.publish(update(11, "two"))
                _, second = await api.call("sendMessage")
                assert (first["text"], second["text"]) == ("you said: one", "you said: two")
                assert str(first["chat_id"]) == "77"
            api.publish(update(99, "to end the poll on this side"))
            # a poll was in the air, and the bot stopped all the same
            assert api.offsets[0] is None
            assert api.offsets[-1] in (11, 12)

    run(scenario())


def test_a_document_goes_up_as_a_form_with_a_known_length() -> None:
    """Telegram refuses uploads in chunks."""

    async def scenario() -> None:
        api = BotAPI()
        async with served(api.app) as port:
            bots = [{"token": TOKEN, "api_server": f"http://127.0.0.1:{port}/"}]
            async with bot(TELEGRAM, telegram_bots=bots) as process:
                await process.says("connected 4242")
                api.publish(update(10, "a file"))
                request, given = await api.call("sendDocument")

                assert int(request.headers["content-length"]) > 5000
                assert "transfer-encoding" not in request.headers
                assert request.headers["content-type"].startswith("multipart/form-data")
                assert given["document"] == "attach://notes.txt"
                assert given["notes.txt"] == ("notes.txt", b"line\n" * 1000)
            api.publish(update(99, "to end the poll on this side"))

    run(scenario())


def test_a_webhook_with_the_secret_reaches_the_bot_and_others_do_not() -> None:
    """The adapter tells bots apart by the secret that it gave to Telegram."""

    async def scenario() -> None:
        api = BotAPI()
        async with served(api.app) as port:
            bots = [{"token": TOKEN, "is_webhook": True, "api_server": f"http://127.0.0.1:{port}/"}]
            settings = {"telegram_bots": bots, "telegram_webhook_url": "https://bot.example"}
            async with bot(TELEGRAM, **settings) as process:
                await process.says("connected 4242")
                _, hook = await api.call("setWebhook")
                assert hook["url"] == "https://bot.example/telegram"
                body = json.dumps(update(10, "hook")).encode()
                headers = {"Content-Type": "application/json"}
                secret = {"X-Telegram-Bot-Api-Secret-Token": hook["secret_token"]}

                assert (await process.post("/telegram", body, {**headers, **secret}))[0] == 204
                _, given = await api.call("sendMessage")
                assert given["text"] == "you said: hook"
                assert (await process.post("/telegram", body, headers))[0] == 401

    run(scenario())
