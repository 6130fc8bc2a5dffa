"""Four echo bots, one for each way in which events come: dialled, polled, dialling, posting."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from slipstream import bots
from slipstream.bots.drivers import HTTPPollingSetup, WebSocketSetup
from slipstream.bots.drivers.fastapi import Driver
from slipstream.responses import HTMLResponse

from adapter import EchoBot
from fake_platform import EchoPlatform
from page import PAGE

TOKEN = "a token for an example"


def build(platform: EchoPlatform, **settings: Any) -> Driver:
    """Put the program together.

    Args:
        platform: The platform to talk to; it is started with the bots.
        settings: Settings of the bots.
    """
    bots.init(**{"access_token": TOKEN, **settings})
    driver = bots.get_driver()
    assert isinstance(driver, Driver)
    driver.register_adapter("echo", EchoBot)
    running = AsyncExitStack()

    @driver.on_startup
    async def start_platform() -> None:
        await running.enter_async_context(platform)
        driver.config.api_root["polling"] = driver.config.api_root["posting"] = f"{platform.base_url}/api"
        auth = {"Authorization": f"Bearer {driver.config.access_token}"}
        driver.setup_websocket(WebSocketSetup("echo", "dialling", platform.ws_url, auth, reconnect_interval=1.0))
        poll = HTTPPollingSetup("echo", "polling", platform.http_url, "GET", b"", auth, "1.1", platform.pace)
        driver.setup_http_polling(poll)
        _spawn(running, platform.be_dialled())

    @driver.on_startup
    async def be_called() -> None:
        """Let the platform call us, at the address that we are about to listen on."""
        home = f"127.0.0.1:{driver.config.port}/echo"
        auth = {"Authorization": f"Bearer {driver.config.access_token}"}
        _spawn(running, platform.dial_bot(f"ws://{home}/ws", {**auth, "X-Self-ID": "dialled"}))
        _spawn(running, platform.post_to_bot(f"http://{home}/http", {**auth, "X-Self-ID": "posting"}))

    driver.on_shutdown(running.aclose)

    app = driver.server_app

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return PAGE

    @app.get("/state")
    async def state() -> dict[str, Any]:
        called_us = {peer["self_id"] for peer in driver.peers()}
        return {
            "links": [health.as_dict() for health in driver.links.health()],
            "bots": [
                {"id": self_id, "adapter": bot.type, "dialled_by": "platform" if self_id in called_us else "bot"}
                for self_id, bot in driver.bots.items()
            ],
            "heard": platform.heard,
        }

    return driver


def _spawn(running: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run something until the shutdown hooks."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.wait({task})

    running.push_async_callback(stop)
