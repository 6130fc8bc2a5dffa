"""Every way a start can fail, in processes of their own: our driver beside NoneBot's own driver for FastAPI."""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from .support import PATIENCE_S

PROGRAM = Path(__file__).with_name("failing_start.py")
pytestmark = pytest.mark.anyio

OURS, STOCK = "slipstream.bots.nonebot", "~fastapi"

WAYS = [
    "hook raises",
    "hook exits",
    "hook is interrupted",
    "hook is cancelled",
    "hook in a thread raises",
    "hook in a thread exits",
    "ready hook raises",
    "adapter raises",
    "application's lifespan raises",
    "port in use",
    "SIGTERM",
    "SIGINT",
    "SIGTERM and hook raises",
    "SIGINT and hook raises",
    "disconnect hook hangs",
    "group is cancelled",
    "task raises",
    "hook raises, without uvloop",
]
LAST = "bot 0 disconnected"


async def story_of(driver: str, way: str) -> tuple[int, list[str]]:
    """Run the program; return its exit status and what it printed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = {"port": listening.getsockname()[1]} if way == "port in use" else {"fd": listening.fileno()}
        loop = "asyncio" if way.endswith("without uvloop") else "auto"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            env={
                **os.environ,
                "PYTHONWARNINGS": "",
                "START_WAY": way.partition(",")[0],
                "START_SETTINGS": json.dumps({"driver": driver, "log_level": "CRITICAL"}),
                "START_OPTIONS": json.dumps({**place, "loop": loop}),
                "START_PATIENCE_S": "0.2" if way == "disconnect hook hangs" else str(PATIENCE_S),
            },
            pass_fds=[listening.fileno()],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode is not None
    return process.returncode, [line[2:] for line in said.decode().splitlines() if line.startswith("- ")]


@pytest.mark.parametrize("way", WAYS)
async def test_a_start_that_fails_ends_as_under_the_stock_driver(way: str) -> None:
    """A service manager starts a bot again only if its process ends; and hooks that let go of things must have run.

    In some ways the stock driver ends before NoneBot's hook of disconnection has run, though
    NoneBot shields that hook from cancellation. Ours waits for it.
    """
    ours, (status, story) = await asyncio.gather(story_of(OURS, way), story_of(STOCK, way))

    assert ours == (status, story if LAST in story else [*story, LAST])
