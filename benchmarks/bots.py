"""What does an event cost a bot process, in its driver alone and with the OneBot adapter?

Starts a bot process on each driver in turn (A B C A B C): NoneBot on its own drivers, NoneBot on ours, and
`slipstream.bots` without NoneBot, which also queues events. Dials half of the links and lets the process dial the
other half, sends events at each rate in turn, each answered, and reports the CPU time of the bot process per event,
its memory per idle link, and the rate that was reached. The highest rate is more than a bot process can answer: it
shows what an event costs at full load.

    python -m benchmarks.bots                 # 500 links, driver alone, then with nonebot-adapter-onebot
    python -m benchmarks.bots --rounds 5 --only driver --rate 2000 200000

Needs nonebot2, nonebot-adapter-onebot, picows, uvloop, and for NoneBot's own drivers fastapi, httpx and websockets.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib.metadata
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from platform import python_version
from typing import Any

import uvloop

from benchmarks.bots_platform import Platform

OURS = "slipstream.bots.nonebot"
STOCK = "~fastapi+~httpx+~websockets"
OWN = "slipstream.bots"
CANDIDATES = {"driver": (STOCK, OURS, OWN), "onebot": (STOCK, OURS)}
PATHS = {"driver": "/bench/ws", "onebot": "/onebot/v11/ws"}


# --- the bot process -------------------------------------------------------------------------------------------------


def memory() -> int:
    """Return the resident memory of this process, in bytes."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def processor_time() -> tuple[float, float]:
    """Return the time that this process has used in its own code and in the system's, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime, used.ru_stime


async def usage() -> dict[str, Any]:
    """Tell what this process has used."""
    used = processor_time()
    gc.collect()
    return {"used": used, "cleared": processor_time(), "rss": memory()}


def own_bot(fd: int, urls: list[str]) -> None:
    """Run a bot of `slipstream.bots`, without NoneBot, until it is told to stop."""
    from slipstream import bots
    from slipstream.bots.adapters import Bot
    from slipstream.bots.drivers import WebSocketSetup

    class Echo(Bot):
        type = "bench"

        @classmethod
        async def check_permission(cls, driver: Any, request: Any) -> Any:
            return request.headers["x-self-id"], None

        async def handle_message(self, message: bytes) -> None:
            await self.request.send("pong")

        async def send(self, event: Any, message: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

        async def _call_api(self, api: str, **data: Any) -> Any:
            raise NotImplementedError

    bots.init(log_level="CRITICAL")
    driver: Any = bots.get_driver()
    driver.register_adapter("bench", Echo)
    driver.server_app.add_api_route("/usage", usage)
    for number, url in enumerate(urls):
        driver.setup_websocket(WebSocketSetup("bench", f"dialled {number}", url))
    bots.run(fd=fd, access_log=False, log_level="critical")


def bot(driver_name: str, mode: str, fd: int, urls: list[str]) -> None:
    """Run a bot of NoneBot until it is told to stop."""
    import nonebot
    from nonebot.drivers import URL, Request, WebSocketServerSetup
    from nonebot.exception import WebSocketClosed

    settings: dict[str, Any] = {"onebot_ws_urls": urls} if mode == "onebot" else {}
    nonebot.init(_env_file=None, driver=driver_name, log_level="CRITICAL", **settings)
    driver: Any = nonebot.get_driver()

    driver.server_app.add_api_route("/usage", usage)
    if mode == "onebot":
        from nonebot.adapters.onebot.v11 import Adapter

        driver.register_adapter(Adapter)
        matcher = nonebot.on_message()

        @matcher.handle()
        async def _() -> None:
            await matcher.finish("pong")

    else:

        async def answer(link: Any) -> None:
            with contextlib.suppress(WebSocketClosed):
                while True:
                    await link.receive()
                    await link.send("pong")

        async def serve(link: Any) -> None:
            await link.accept()
            await answer(link)

        async def dial(url: str) -> None:
            async with driver.websocket(Request("GET", url, timeout=60.0)) as link:
                await answer(link)

        driver.setup_websocket_server(WebSocketServerSetup(URL(PATHS["driver"]), "link", serve))

        @driver.on_startup
        async def _() -> None:
            for url in urls:
                driver.task_group.start_soon(dial, url)

    nonebot.run(fd=fd, access_log=False)


# --- the comparison --------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def bot_process(driver_name: str, mode: str, urls: list[str]) -> AsyncIterator[str]:
    """Start a bot that dials some accounts; yield its address when it serves."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        arguments = ["--bot", driver_name, mode, str(listening.fileno()), *urls]
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-m", "benchmarks.bots", *arguments],
            pass_fds=[listening.fileno()],
        )
    try:
        yield address
    finally:
        await asyncio.to_thread(stop, process)


def stop(process: Any) -> None:
    """End a bot process."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
        return
    process.kill()
    process.wait()


async def usage_of(address: str) -> dict[str, Any]:
    """Ask a bot process what it has used."""

    def ask() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{address}/usage", timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    return await asyncio.to_thread(ask)


async def measure(
    driver_name: str, mode: str, count: int, rates: list[float], seconds: float, *, deflate: bool = False
) -> list[dict[str, float]]:
    """Measure one driver once, at each rate."""
    found = []
    async with bot_process(driver_name, mode, []) as address:
        empty = (await usage_of(address))["rss"]
    platform = Platform(count, asks_for_calls=mode == "onebot", deflate=deflate)
    async with platform.listening() as urls, bot_process(driver_name, mode, urls) as address:
        await usage_of(address)
        await platform.connect(f"ws://{address}{PATHS[mode]}")
        idle = await usage_of(address)
        for rate in rates:
            before = await usage_of(address)
            events, took = await platform.drive(rate, seconds=seconds)
            after = await usage_of(address)
            user, system = (
                (then - now) / events * 1e6 for now, then in zip(before["cleared"], after["used"], strict=True)
            )
            found.append(
                {
                    "cpu": user + system,
                    "user": user,
                    "system": system,
                    "rate": events / took,
                    "kib": (idle["rss"] - empty) / count / 1024,
                }
            )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", type=int, default=500)
    parser.add_argument(
        "--rate",
        type=float,
        nargs="+",
        default=[500.0, 2000.0, 5000.0, 20000.0, 200000.0],
        help="events a second, at most; a quarter of it with an adapter",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="how long events are sent at each rate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=tuple(CANDIDATES))
    parser.add_argument("--deflate", action="store_true", help="let the platform offer and accept compression")
    parser.add_argument("--bot", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.bot:
        name, mode, fd, *urls = given.bot
        if name == OWN:
            own_bot(int(fd), urls)
        else:
            bot(name, mode, int(fd), urls)
        return
    versions = ", ".join(f"{each} {importlib.metadata.version(each)}" for each in ("nonebot2", "uvicorn", "websockets"))
    print(f"Python {python_version()}, {os.cpu_count()} CPUs, {versions}; {given.links} links")
    print(
        f"{'mode':8}{'driver':30}{'events/s':>10}{'CPU µs/event':>14}{'(min–max)':>16}"
        f"{'user':>8}{'system':>8}{'of stock':>10}{'KiB/idle link':>15}"
    )
    for mode in [given.only] if given.only else CANDIDATES:
        rates = [rate if mode == "driver" else rate / 4 for rate in given.rate]
        found: dict[str, list[list[dict[str, float]]]] = {name: [] for name in CANDIDATES[mode]}
        for _ in range(given.rounds):
            for name, results in found.items():
                measured = measure(name, mode, given.links, rates, given.seconds, deflate=given.deflate)
                results.append(uvloop.run(measured))
        for at in range(len(rates)):
            stock = statistics.median(each[at]["cpu"] for each in found[STOCK])
            for name, results in found.items():
                print(row(mode, name, [each[at] for each in results], stock))


def row(mode: str, name: str, results: list[dict[str, float]], stock: float) -> str:
    """Return a line of the table: medians over the rounds."""
    middle = {key: statistics.median(each[key] for each in results) for key in results[0]}
    cpu = [each["cpu"] for each in results]
    spread = f"({min(cpu):.1f}–{max(cpu):.1f})"
    return (
        f"{mode:8}{name:30}{middle['rate']:10.0f}{middle['cpu']:14.1f} {spread:>15}"
        f"{middle['user']:8.1f}{middle['system']:8.1f}{middle['cpu'] / stock:10.2f}{middle['kib']:15.1f}"
    )


if __name__ == "__main__":
    main()
