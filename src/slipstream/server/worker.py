"""A worker: a process that serves, and does what its supervisor says.

Both write words to each other, a line each. The supervisor: `ping`, `drain` (another takes over), `stop` (all end),
`quit` (all end, without a lame duck). The worker: `ready`, `pong`, `leaves` (it has served for long enough, and asks
for a replacement), `draining` (it takes no more connections). A worker whose supervisor has ended ends, too.
"""

import asyncio
import faulthandler
import logging
import random
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import FrameType
from typing import Any, Final

import uvicorn

from slipstream.server.limits import WorkerSettings
from slipstream.server.service import Service, service_for

_BATCH: Final = 100
"""Idle connections that are looked at and closed in one turn of the loop."""
_ASK_AGAIN: Final = 60
"""Seconds after which a worker asks again for a replacement, since the first did not start."""

logger = logging.getLogger("uvicorn.error")


class Channel:
    """One end of the pair of sockets between supervisor and worker; `hear` gets each word, and "" at the end."""

    def __init__(self, sock: socket.socket, hear: Callable[[str], None]) -> None:
        sock.setblocking(False)
        self._socket, self._hear, self._rest = sock, hear, b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    def say(self, word: str) -> None:
        """Send a word, which is lost if the other has ended."""
        with suppress(OSError):
            self._socket.send(word.encode() + b"\n")

    def close(self) -> None:
        """Hear nothing more."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._hear("")
            return
        *words, self._rest = (self._rest + data).split(b"\n")
        for word in words:
            self._hear(word.decode())


class WorkerServer(uvicorn.Server):
    """uvicorn's server, with a supervisor and another way to end."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket, settings: WorkerSettings) -> None:
        super().__init__(config)
        self._settings = settings
        self._socket = channel
        self._channel: Channel | None = None
        self._order = "drain"
        self._is_told = asyncio.Event()
        most, age = settings.limit_max_requests, settings.limit_max_age
        self._most_requests = most + random.randint(0, settings.limit_max_requests_jitter) if most else 1 << 62
        life = age + random.uniform(0, settings.limit_max_age_jitter) if age else float("inf")
        self._leaves_at = monotonic() + life
        self._asks_from = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and listen; then tell the supervisor."""
        await super().startup(sockets=sockets)
        self._channel = Channel(self._socket, self._hear)
        if not self.should_exit:
            self._say("ready")

    async def main_loop(self) -> None:
        """Serve until it is time to end."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._is_told.wait()

    async def on_tick(self, counter: int) -> bool:
        """Ask for a replacement if it is time; called ten times a second."""
        now = monotonic()
        is_due = self.server_state.total_requests >= self._most_requests or now >= self._leaves_at
        if is_due and now > self._asks_from:
            self._asks_from = now + _ASK_AGAIN
            self._say("leaves")
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order at the first signal, at once at the second."""
        if sig == signal.SIGINT:  # a terminal sends it to all processes, and the supervisor decides
            return
        self.force_exit = self.should_exit
        self.should_exit = True

    def _say(self, word: str) -> None:
        if self._channel is not None:
            self._channel.say(word)

    def _hear(self, word: str) -> None:
        if word == "ping":
            self._say("pong")
            return
        self._order = word or "stop"  # "": the supervisor has ended, and nobody else accepts
        self.should_exit = True
        self._is_told.set()

    # --- the end -----------------------------------------------------------------------------------------------------

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End so that nobody loses a request."""
        loop, settings, state = asyncio.get_running_loop(), self._settings, self.server_state
        began, served = loop.time(), state.total_requests
        duck_until = began + (0 if self._order == "quit" else min(settings.lame_duck, settings.graceful_time))
        service = self._service(loop)
        others = set(state.connections)
        if service is not None:
            service.drain()
            others -= {each for each in service.connections if not each.is_websocket}
        for connection in others:  # WebSockets are told one after the other, or all would come back at once
            loop.call_later(random.uniform(0, duck_until - began), self._tell, connection)
        if self._order == "stop" and service is not None and service.health:
            # Who asks for readiness sends connections until the answer is no.
            await self._wait_until(duck_until, lambda: False)
        for _ in range(3):  # turns of the loop, to accept what has come
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for sock in sockets or ():
            sock.close()
        self._say("draining")
        await self._wait_until(duck_until, lambda: not state.connections)
        if service is not None:
            await close_idle(service)
        left = max(0.0, began + settings.graceful_time - loop.time())
        self.config.timeout_graceful_shutdown = left  # type: ignore[assignment]  # it may be a float
        await super().shutdown(sockets=sockets)
        if service is not None and service.log is not None:
            service.log.flush()
        logger.info(
            "Drained %d requests and %d other connections in %.1f s",
            state.total_requests - served, len(others), loop.time() - began,
        )  # fmt: skip

    def _service(self, loop: asyncio.AbstractEventLoop) -> Service | None:
        """Return what our connections have in common; None if uvicorn's own protocol serves."""
        if self.config.http_protocol_class.__module__ != "slipstream.server.http":
            return None
        return service_for(self.config, self.server_state, self.lifespan.state, loop)

    def _tell(self, connection: Any) -> None:
        if connection in self.server_state.connections:
            connection.shutdown()

    async def _wait_until(self, time: float, is_done: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < time and not is_done() and not self.force_exit:
            await super().on_tick(0)  # it keeps the Date header
            await asyncio.sleep(0.05)


async def close_idle(service: Service) -> None:
    """Close the connections on which nothing has come; a request that the kernel has already got is served."""
    for _ in range(3):
        waiting = [connection for connection in service.connections if connection.is_idle]
        while waiting:
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            poll = select.poll()
            by_descriptor = {each.transport.get_extra_info("socket").fileno(): each for each in batch if each.is_idle}
            for descriptor in by_descriptor:
                poll.register(descriptor, select.POLLIN)
            readable = {descriptor for descriptor, _ in poll.poll(0)}
            for descriptor, connection in by_descriptor.items():
                if descriptor not in readable:
                    connection.shutdown()
            await asyncio.sleep(0)


def serve(
    options: dict[str, Any], sockets: list[socket.socket], channel: socket.socket, settings: WorkerSettings
) -> None:
    """Serve until the supervisor says otherwise; the target of a new process. `options` are `uvicorn.Config`'s."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, _leave_to_supervisor)
    for sock in (*sockets, channel):  # what the application starts does not inherit them
        sock.set_inheritable(False)
    faulthandler.enable()  # the supervisor ends a worker that hangs with SIGABRT
    WorkerServer(uvicorn.Config(**options), channel, settings).run(sockets)


def _leave_to_supervisor(*_: object) -> None:
    """Do nothing; SIG_IGN would do the same in the programs that an application starts."""
