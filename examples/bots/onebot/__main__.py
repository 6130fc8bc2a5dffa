"""Start the bot and the platform, and let you be the friend.

python -m examples.bots.onebot
python -m examples.bots.onebot --say "/echo hello" --say "/who"
"""

import argparse
import asyncio
import secrets
import socket
import sys

from examples.bots.onebot.fake_platform import Platform

PATIENCE_S = 10


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


async def lines(said: list[str]) -> None:
    """Run the bot; say each line to it, or what is typed."""
    port, token = free_port(), secrets.token_hex(8)
    arguments = ["--port", str(port), "--token", token, "--log-level", "WARNING"]
    bot = await asyncio.create_subprocess_exec(sys.executable, "-m", "examples.bots.onebot.bot", *arguments)
    ended = asyncio.create_task(bot.wait())
    try:
        chatting = asyncio.create_task(chat(Platform(f"ws://127.0.0.1:{port}/onebot/v11/ws", token), said))
        await asyncio.wait([ended, chatting], return_when=asyncio.FIRST_COMPLETED)
        chatting.cancel() if not chatting.done() else chatting.result()
    finally:
        if bot.returncode is None:
            bot.terminate()
        await ended


async def chat(platform: Platform, said: list[str]) -> None:
    """Be the friend, until the lines are at an end."""
    async for connected in platform.links():
        if not said:
            print("The bot is there. Try /echo hello, /roll 2d6, /who; an empty line ends it.")
        rest = iter(said)
        while line := next(rest, "") if said else await asyncio.to_thread(typed):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    print(f"{line} -> {await connected.say(line)}", flush=True)
            except TimeoutError:
                print(f"{line} -> (no answer; it is no command)", flush=True)
        return


def typed() -> str:
    """Read a line; nothing where there is none, as at the end of a file."""
    try:
        return input("> ").strip()
    except EOFError:
        return ""


def main() -> None:
    """Read the command line, and chat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--say", action="append", default=[], help="say this and end; may be given again")
    asyncio.run(lines(parser.parse_args().say))


if __name__ == "__main__":
    main()
