"""What the bot can do; and a page of its own, on the same server."""

import random
import re
from typing import Annotated, Any

import nonebot
from nonebot.adapters.onebot.v11 import Bot, Message, MessageEvent
from nonebot.params import CommandArg

MOST_DICE, MOST_SIDES = 20, 1000

echo = nonebot.on_command("echo")
roll = nonebot.on_command("roll")
who = nonebot.on_command("who")


@echo.handle()
async def say_back(said: Annotated[Message, CommandArg()]) -> None:
    """Answer `/echo something` with something, pictures and all."""
    await echo.finish(said)


@roll.handle()
async def roll_dice(said: Annotated[Message, CommandArg()]) -> None:
    """Answer `/roll 2d6`."""
    asked = re.fullmatch(r"\s*(\d{0,3})d(\d{1,4})\s*", said.extract_plain_text() or "1d6")
    if asked is None:
        await roll.finish("say how many dice with how many sides, as in /roll 2d6")
    count, sides = int(asked[1] or 1), int(asked[2])
    if not (1 <= count <= MOST_DICE and 1 <= sides <= MOST_SIDES):
        await roll.finish(f"at most {MOST_DICE} dice with {MOST_SIDES} sides")
    eyes = [random.randint(1, sides) for _ in range(count)]
    await roll.finish(f"{' + '.join(map(str, eyes))} = {sum(eyes)}")


@who.handle()
async def tell_names(bot: Bot, event: MessageEvent) -> None:
    """Answer `/who`; the bot asks the platform for its own name."""
    me: dict[str, Any] = await bot.get_login_info()
    await who.finish(f"I am {me['nickname']}, you are {event.sender.nickname}")


app = nonebot.get_app()


@app.get("/bots")
async def bots() -> list[str]:
    """List the accounts that are connected: http://127.0.0.1:8080/bots."""
    return sorted(nonebot.get_bots())
