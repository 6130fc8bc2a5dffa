"""A bot process, and the peers that tests put before it."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio import client
from websockets.asyncio.server import serve

PATIENCE_S = 40
connect = partial(client.connect, open_timeout=None)
"""Dials without a limit of its own, since a bot's socket listens before the bot has started; a test has its limit."""

BOT = Path(__file__).with_name("bot.py")


class BotProcess:
    """A running bot."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port
        self.lines: list[str] = []

    async def says(self, text: str) -> str:
        """Read what the bot prints up to a line that holds a text, and return that line."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"the bot ended without saying {text!r}; it said:\n" + "".join(self.lines))

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Awaitable[tuple[int, bytes]]:
        """Send the bot an HTTP request."""
        return fetch(self.port, "POST", path, body, headers)


async def fetch(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Send an HTTP request on a connection of its own; return status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
        lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), content
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def bot(adapters: str, driver: str = "slipstream.bots.nonebot", **settings: Any) -> AsyncIterator[BotProcess]:
    """Start a bot that serves from the first connection on, and stop it as a service manager would."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(BOT),
            env={
                **os.environ,
                "PYTHONWARNINGS": "",
                "BOT_ADAPTERS": adapters,
                "BOT_FD": str(listening.fileno()),
                "BOT_SETTINGS": json.dumps({"driver": driver, **settings}),
            },
            pass_fds=[listening.fileno()],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        port = listening.getsockname()[1]
    started = BotProcess(process, port)
    try:
        yield started
        process.terminate()
        rest, _ = await process.communicate()
        said = "".join(started.lines) + rest.decode()
        assert "Application shutdown complete" in said, said
        assert "Exception in ASGI application" not in said, said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Platform:
    """Whatever a bot asks of a platform by HTTP: calls are put down, answers looked up by method."""

    def __init__(self, path: str, answers: dict[str, Any]) -> None:
        self.calls: asyncio.Queue[tuple[str, Request, Any]] = asyncio.Queue()
        self.answers = answers
        self.app = Starlette(routes=[Route(path, self.take, methods=["GET", "POST"])])

    async def take(self, request: Request) -> Response:
        """Take a call."""
        method = request.path_params["method"]
        content_type = request.headers.get("content-type", "")
        given: Any
        if content_type.startswith("application/json"):
            given = await request.json()
        else:
            async with request.form() as form:
                given = {k: v if isinstance(v, str) else (v.filename, await v.read()) for k, v in form.items()}
        answer = self.answers.get(method, {})
        if callable(answer):
            answer = await answer(given)
        await self.calls.put((method, request, given))
        return JSONResponse(answer)

    async def call(self, method: str) -> tuple[Request, Any]:
        """Wait for a call of a method; return the request and what it brought."""
        while True:
            found, request, given = await self.calls.get()
            if found == method:
                return request, given


Serve = Callable[[Any], Awaitable[None]]

__all__ = ["BotProcess", "Platform", "Serve", "bot", "connect", "fetch", "serve"]
