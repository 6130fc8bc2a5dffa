"""A NoneBot program that answers what it is told. What to run it with comes from the environment."""

import json
import os

import nonebot
from nonebot.adapters import Bot, Event

nonebot.init(_env_file=None, **json.loads(os.environ["BOT_SETTINGS"]))
driver = nonebot.get_driver()
for name in os.environ["BOT_ADAPTERS"].split(","):
    module, _, attribute = name.partition(":")
    driver.register_adapter(getattr(__import__(module, fromlist=[attribute]), attribute or "Adapter"))

told = nonebot.on_message()


@told.handle()
async def answer(bot: Bot, event: Event) -> None:
    """Send back what was said; or a file, for who asks for one."""
    text = event.get_plaintext()
    if text == "a file":
        await bot.send_document(chat_id=event.get_session_id(), document=("notes.txt", b"line\n" * 1000))
    elif text == "who":
        found = await bot.get_login_info()
        await told.finish(f"I am {found['nickname']}")
    else:
        await told.finish(f"you said: {text}")


@driver.on_bot_connect
async def connected(bot: Bot) -> None:
    """Say so."""
    print(f"connected {bot.self_id}", flush=True)


@driver.on_bot_disconnect
async def disconnected(bot: Bot) -> None:
    """Say so."""
    print(f"disconnected {bot.self_id}", flush=True)


nonebot.run(fd=int(os.environ["BOT_FD"]))
