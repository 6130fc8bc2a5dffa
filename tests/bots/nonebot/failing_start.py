"""A NoneBot program whose start does not succeed. The driver and the way to fail come from the environment.

It prints what runs, a word at a time, so that two drivers can be compared.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import nonebot
from nonebot.adapters import Adapter as BaseAdapter, Bot as BaseBot
from nonebot.drivers import Driver

way = os.environ["START_WAY"]
nonebot.init(_env_file=None, **json.loads(os.environ["START_SETTINGS"]))
driver = nonebot.get_driver()
if ours := sys.modules.get("slipstream.bots.nonebot.driver"):
    vars(ours)["_PATIENCE_S"] = float(os.environ["START_PATIENCE_S"])


def tell(text: str) -> None:
    """Print what has just run."""
    print(f"- {text}", flush=True)


class Bot(BaseBot):
    """A bot that sends nothing."""

    async def send(self, event: Any, message: Any, **kwargs: Any) -> Any:
        """Refuse."""
        raise NotImplementedError


class Adapter(BaseAdapter):
    """An adapter as most are: a task in the driver's group, which connects again after any error."""

    def __init__(self, driver: Driver, **kwargs: Any) -> None:
        super().__init__(driver, **kwargs)
        self.connected = anyio.Event()
        driver.on_startup(self.start)
        driver.on_shutdown(self.stop)

    @classmethod
    def get_name(cls) -> str:
        """Return the name of the platform."""
        return "holding"

    async def start(self) -> None:
        """Start the task, and wait until its bot is there."""
        tell("adapter starts")
        self.driver.task_group.start_soon(self.hold)
        await self.connected.wait()

    async def stop(self) -> None:
        """Say so."""
        tell("adapter stops")

    async def hold(self) -> None:
        """Hold a connection until the end."""
        for attempt in range(20):
            bot = Bot(self, f"bot {attempt}")
            try:
                self.bot_connect(bot)
                await anyio.sleep_forever()
            except Exception as error:  # what adapters do: connect again
                tell(f"adapter connects again after {error}")
            finally:
                self.bot_disconnect(bot)
        while True:  # what an adapter does for ever ends the comparison, not the machine
            try:
                await anyio.sleep_forever()
            except BaseException:
                os._exit(99)

    async def _call_api(self, bot: BaseBot, api: str, **data: Any) -> Any:
        raise NotImplementedError


class Failing(Adapter):
    """An adapter that cannot start."""

    @classmethod
    def get_name(cls) -> str:
        """Return the name of the platform."""
        return "failing"

    async def start(self) -> None:
        """Raise an error."""
        tell("failing adapter starts")
        raise RuntimeError("no such account")


driver.register_adapter(Adapter)
holding = driver._adapters["holding"]
assert isinstance(holding, Adapter)
if way == "adapter raises":
    driver.register_adapter(Failing)


@driver.on_bot_connect
async def connected(bot: BaseBot) -> None:
    """Say so."""
    tell(f"{bot.self_id} connected")
    holding.connected.set()


@driver.on_bot_disconnect
async def disconnected(bot: BaseBot) -> None:
    """Say so."""
    tell(f"{bot.self_id} disconnected")
    if way == "disconnect hook hangs":
        await anyio.sleep_forever()


@driver.on_startup
async def start() -> None:
    """Fail in the way that is asked for."""
    tell("hook starts")
    await anyio.lowlevel.checkpoint()
    if way in ("hook raises", "disconnect hook hangs"):
        raise RuntimeError("no such account")
    if way == "hook exits":
        sys.exit(5)
    elif way == "hook is interrupted":
        raise KeyboardInterrupt
    elif way == "hook is cancelled":
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.lowlevel.checkpoint()
    elif way == "group is cancelled":
        driver.task_group.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint()
    elif way.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, way.split()[0]))
        await anyio.lowlevel.checkpoint()
        if way.endswith("and hook raises"):
            raise RuntimeError("no such account")
    tell("hook is done")


@driver.on_startup
def start_in_a_thread() -> None:
    """Fail in a thread, if that is asked for."""
    tell("hook in a thread starts")
    if way == "hook in a thread raises":
        raise RuntimeError("no such account")
    if way == "hook in a thread exits":
        sys.exit(5)


@driver._lifespan.on_ready
async def ready() -> None:
    """Fail at the last, if that is asked for."""
    tell("ready")
    if way == "ready hook raises":
        raise RuntimeError("no such account")
    if way == "task raises":

        async def fail() -> None:
            raise RuntimeError("no such account")

        driver.task_group.start_soon(fail)
        await anyio.sleep_forever()


@driver.on_shutdown
async def stop() -> None:
    """Say so."""
    tell("hook stops")


if way == "application's lifespan raises":

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        """Raise an error at start."""
        tell("application starts")
        raise RuntimeError("no such table")
        yield

    framework = __import__(type(driver.server_app).__module__.partition(".")[0])
    driver.server_app.include_router(framework.APIRouter(lifespan=lifespan))


nonebot.run(**json.loads(os.environ["START_OPTIONS"]))
