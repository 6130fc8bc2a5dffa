"""What the tests of bots share: a bot that notes what it gets, and a server on a free port."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from slipstream.bots.adapters import Bot, bearer_token, same_token
from slipstream.bots.config import Config, Env
from slipstream.bots.drivers import HTTPConnection, HTTPResponse
from slipstream.bots.drivers.fastapi import Driver, in_order


class Script:
    """What a bot does, as a test says; and what it got."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()
        self.handle: Callable[[Any, bytes], Awaitable[None]] | None = None
        self.requests: list[HTTPConnection] = []
        self.replies: dict[str, asyncio.Future[Any]] = {}

    async def messages(self, count: int) -> list[bytes]:
        return [await self.got.get() for _ in range(count)]


def bot_class(script: Script, token: str = "secret") -> type[Bot]:
    """Make an adapter: a token, an id in a header, replies by `echo`, and whatever the script says."""

    class ScriptedBot(Bot):
        @property
        def type(self) -> str:
            return "scripted"

        @classmethod
        async def check_permission(cls, driver: Any, request: HTTPConnection) -> tuple[str | None, HTTPResponse | None]:
            script.requests.append(request)
            if not same_token(bearer_token(request), token):
                return None, HTTPResponse(403, b"wrong token", {"x-hint": "ask the admin"})
            return request.headers.get("x-self-id"), None

        async def handle_message(self, message: bytes) -> None:
            reply = json.loads(message) if message.startswith(b'{"echo"') else None
            if reply is not None and reply["echo"] in script.replies:
                script.replies[reply["echo"]].set_result(reply["data"])
                return
            if script.handle is not None:
                await script.handle(self, message)
            script.got.put_nowait(message)

        async def _call_api(self, api: str, **data: Any) -> Any:
            reply = script.replies[api] = asyncio.get_running_loop().create_future()
            await self.request.send(json.dumps({"api": api, "echo": api, **data}))  # type: ignore[attr-defined]
            try:
                return await reply
            finally:
                del script.replies[api]

        async def send(self, event: Any, message: Any, **kwargs: Any) -> Any:
            return await self.call_api("send", message=message)

    return ScriptedBot


KNOWN = {"authorization": "Bearer secret", "x-self-id": "1"}


def make_driver(script: Script | None = None, **settings: Any) -> Driver:
    build: Any = Config
    driver = Driver(Env(), build(None, access_token="secret", **settings))
    if script is not None:
        driver.register_adapter("scripted", bot_class(script))
    return driver


class Running:
    """A server that runs; `http` and `ws` are its addresses."""

    def __init__(self, server: uvicorn.Server, task: "asyncio.Task[None]", port: int) -> None:
        self.server, self.task = server, task
        self.http, self.ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        self.port = port

    def stop(self) -> None:
        self.server.should_exit = True


class Announced(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def served(driver: Driver, *, is_plain: bool = False, **options: Any) -> AsyncGenerator[Running, None]:
    """Serve a driver as its `run()` does, or plainly as other commands do, on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(driver.asgi, log_config=None, **{"ws_max_size": driver.options.ws_max_size, **options})
        server = Announced(config)
        if not is_plain:
            in_order(server, driver.say_goodbye)
        task = asyncio.create_task(server.serve([listener]))
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        try:
            yield Running(server, task, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await task
