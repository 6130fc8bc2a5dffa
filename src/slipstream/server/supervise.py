"""The supervisor: starts workers, watches them, and replaces them without losing a request.

It holds the listening socket, so that a connection waits in the kernel while workers change. docs/server.md has the
signals and options, docs/design/0019 the reasons.
"""

import asyncio
import errno
import logging
import multiprocessing
import os
import signal
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final

import uvicorn

from slipstream.server.limits import WorkerSettings
from slipstream.server.worker import Channel, serve

STARTUP_FAILURE: Final = 3
"""Exit status of a worker whose application cannot be imported or started; uvicorn's, too."""

_SHORT_LIFE: Final = 10
"""Seconds: a worker that dies earlier after its start is one of a row."""
_MOST_IN_A_ROW: Final = 3
_LONGEST_PAUSE: Final = 30
_DONE: Final = "reloaded"
_DUMP_TIME: Final = 5
"""Seconds in which a worker that hangs can write the stacks of its threads."""

logger = logging.getLogger("uvicorn.error")

Event = tuple[str, Any]


class Worker:
    """A process that serves, as its supervisor sees it.

    Attributes:
        begun: Done when its loop answers (True), or when it has ended before that (False).
        ended: Done with its exit status when it has ended.
        is_closed: Set when it takes no more connections.
    """

    def __init__(self, start: Callable[[socket.socket], SpawnProcess], report: Callable[[Event], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._report = report
        self.begun: asyncio.Future[bool] = self._loop.create_future()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self.is_closed = asyncio.Event()
        self._answered = asyncio.Event()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = start(theirs)
        self._channel = Channel(ours, self._hear)
        self.pid = self._process.pid
        self._loop.add_reader(self._process.sentinel, self._end)

    def _hear(self, word: str) -> None:
        if word == "ready":
            self._channel.say("ping")
        elif word == "pong":
            self._answered.set()
            if not self.begun.done():
                self.begun.set_result(True)
        elif word:
            if word == "draining":
                self.is_closed.set()
            self._report((word, self))

    def _end(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._process.join()
        self._channel.close()
        self.ended.set_result(self._process.exitcode or 0)
        self._answered.set()
        self.is_closed.set()
        if self.begun.done():
            self._report(("ended", self))
        else:
            self.begun.set_result(False)

    async def watch(self, patience: float) -> None:
        """End the process if its loop does not answer for so many seconds."""
        while not self.ended.done():
            self._answered.clear()
            self._channel.say("ping")
            try:
                async with asyncio.timeout(patience):
                    await self._answered.wait()
            except TimeoutError:
                logger.error(
                    "Worker [%s] has not answered for %g s: it is ended; the stacks of its threads:", self.pid, patience
                )
                self._signal(signal.SIGABRT)
                await asyncio.wait([self.ended], timeout=_DUMP_TIME)
                self.kill()
                return
            await asyncio.wait([self.ended], timeout=min(1, patience / 3))

    async def end(self, order: str, within: float) -> None:
        """Have the process end in order; kill it if it has not ended after so many seconds."""
        if self.begun.done():
            self._channel.say(order)
        else:
            self._signal(signal.SIGTERM)
        await asyncio.wait([self.ended], timeout=within)
        if not self.ended.done():
            logger.error("Worker [%s] has not ended within %g s: it is killed", self.pid, within)
            self.kill()
            await self.ended

    def kill(self) -> None:
        """End the process at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.ended.done() and self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Place:
    """A place for a worker: what has happened to it, and how often one after the other has died young."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.has_begun = self.has_failed = False
        self.pause = 0.0
        """Seconds until the next worker is started."""
        self._deaths = 0

    def note_death(self, life: float) -> None:
        """Decide how long to wait before the next start: 1, 2, 4 … 30 s from the fourth short life in a row on."""
        self._deaths = self._deaths + 1 if life < _SHORT_LIFE else 1
        beyond = self._deaths - _MOST_IN_A_ROW
        self.pause = float(min(_LONGEST_PAUSE, 2 ** min(beyond - 1, 5))) if beyond > 0 else 0.0


class Supervisor:
    """Keeps `count` workers, which `start` starts with their end of a channel; holds the sockets they listen on."""

    def __init__(
        self,
        start: Callable[[socket.socket], SpawnProcess],
        sockets: list[socket.socket],
        count: int,
        settings: WorkerSettings,
    ) -> None:
        self._start, self._sockets, self._settings = start, sockets, settings
        self._places = [Place() for _ in range(count)]
        self._workers: set[Worker] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reloading = asyncio.Lock()
        self._is_reload_asked = self._is_ready = False
        self._status = 0
        self._order = "stop"

    async def run(self) -> int:
        """Keep the workers until a signal ends them; return the exit status."""
        loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        logger.info("Started supervisor process [%d]", os.getpid())
        async with controlled(self.reload):
            for place in self._places:
                self._background(self._keep(place))
            if "WATCHDOG_USEC" in os.environ:
                self._background(self._watch_ourselves(int(os.environ["WATCHDOG_USEC"]) / 2e6))
            await self._over.wait()
        for task in self._tasks:
            task.cancel()
        notify("STOPPING=1")
        for sock in self._sockets:
            sock.close()
        await asyncio.gather(*(self._retire(worker, self._order) for worker in self._workers))
        logger.info("Stopping supervisor process [%d]", os.getpid())
        return self._status

    async def reload(self) -> str:
        """Replace each worker in turn; return why not, or ""."""
        async with self._reloading:
            self._is_reload_asked = False
            logger.info("Reloading: each worker is replaced")
            notify(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns() // 1000}")
            complaint = ""
            for place in self._places:
                answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                place.events.put_nowait(("reload", answer))
                if not await answer:
                    complaint = "the new version did not start: the old one goes on serving"
                    break
            notify("READY=1")
            if complaint:
                logger.error("Not reloaded: %s", complaint)
            else:
                logger.info("Reloaded")
            return complaint

    # --- signals -----------------------------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        if not self._is_reload_asked:  # one that waits will do what this one asks for
            self._is_reload_asked = True
            self._background(self.reload())

    def _stop(self, number: signal.Signals) -> None:
        if self._over.is_set():
            logger.info("Received %s again: all workers are killed", number.name)
            self._status = 128 + number
            for worker in self._workers:
                worker.kill()
        else:
            logger.info("Received %s: workers drain", number.name)
            self._order = "quit" if number == signal.SIGINT else "stop"
            self._over.set()

    def _background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- workers -----------------------------------------------------------------------------------------------------

    async def _keep(self, place: Place) -> None:
        """Keep a worker in a place."""
        while True:
            answer = await self._pause(place)
            # A first start may have much to do; one that replaces another must not hang for ever.
            worker = await self._begin(place, self._settings.reload_timeout if place.has_begun else None)
            if answer is not None:
                answer.set_result(worker is not None)
            if worker is not None:
                await self._tend(place, worker)
            elif self._status:
                return

    @staticmethod
    async def _pause(place: Place) -> "asyncio.Future[bool] | None":
        """Wait until a worker is to be started; return who waits for it, if it is a reload."""
        try:
            async with asyncio.timeout(place.pause):
                while True:
                    word, subject = await place.events.get()
                    if word == "reload":
                        return subject  # type: ignore[no-any-return]  # what `reload` has put there
        except TimeoutError:
            return None

    async def _tend(self, place: Place, worker: Worker) -> None:
        """Replace a worker as often as somebody asks for it, until one has gone by itself."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            word, subject = await place.events.get()
            if word == "reload" or (word == "leaves" and subject is worker):
                successor = await self._begin(place, self._settings.reload_timeout)
                if successor is None:
                    logger.error("Worker [%s] goes on, since its replacement has not started", worker.pid)
                else:
                    self._background(self._retire(worker, "drain"))
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._settings.worker_timeout):
                            await worker.is_closed.wait()
                    worker, began = successor, loop.time()
                if word == "reload":
                    subject.set_result(successor is not None)
            elif subject is worker:
                if word == "ended":
                    logger.error("Worker [%s] has died, %s", worker.pid, _fate(worker.ended.result()))
                    place.note_death(loop.time() - began)
                else:  # it has got a SIGTERM, as we perhaps have, and will see in a moment
                    self._background(self._retire(worker, "drain"))
                    place.pause = 0.2
                return

    async def _begin(self, place: Place, patience: float | None) -> Worker | None:
        """Start a worker; return it when it answers, None if it does not."""
        worker = Worker(self._start, place.events.put_nowait)
        self._workers.add(worker)
        worker.ended.add_done_callback(lambda _: self._workers.discard(worker))
        await asyncio.wait([worker.begun], timeout=patience)
        if worker.begun.done() and worker.begun.result():
            place.has_begun = True
            place.pause = 0
            self._background(worker.watch(self._settings.worker_timeout))
            logger.info("Worker [%s] is ready", worker.pid)
            if not self._is_ready and all(each.has_begun for each in self._places):
                self._is_ready = True
                notify("READY=1")
            return worker
        if not worker.ended.done():
            logger.error("Worker [%s] has not started within %g s: it is killed", worker.pid, patience)
            worker.kill()
        status = await worker.ended
        logger.error("Worker [%s] has not started, %s", worker.pid, _fate(status))
        place.note_death(0)
        place.has_failed = place.has_failed or status == STARTUP_FAILURE
        if all(each.has_failed and not each.has_begun for each in self._places):
            self._status = STARTUP_FAILURE
            self._over.set()
        return None

    async def _retire(self, worker: Worker, order: str) -> None:
        await worker.end(order, self._settings.graceful_time + self._settings.worker_timeout)

    # --- others ------------------------------------------------------------------------------------------------------

    async def _watch_ourselves(self, interval: float) -> None:
        while True:
            notify("WATCHDOG=1")
            await asyncio.sleep(interval)


@asynccontextmanager
async def controlled(reload: Callable[[], Coroutine[Any, Any, str]]) -> AsyncIterator[None]:
    """Answer `slipstream reload` during the block, if a socket can be made for it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if await reader.readline() == b"reload\n":
                writer.write((await reload() or _DONE).encode())
                await writer.drain()
        writer.close()

    path, server = control_path(os.getpid()), None
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        found = path.parent.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{path.parent} is not this user's alone")
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(answer, path)
    except OSError as error:
        logger.warning("`slipstream reload` cannot reach this process: %s", error)
    try:
        yield
    finally:
        if server is not None:
            server.close()
            path.unlink(missing_ok=True)


def control_path(pid: int) -> Path:
    """Return the address at which the supervisor with a process id of this user can be asked to reload."""
    return Path(tempfile.gettempdir()) / f"slipstream-{os.getuid()}" / f"{pid}.sock"


def ask_to_reload(pid: int) -> str:
    """Have a supervisor replace its workers, and wait for that; return why it has not, or "".

    Raises:
        OSError: There is no supervisor of this user with this process id.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(control_path(pid)))
        sock.sendall(b"reload\n")
        answer = b"".join(iter(lambda: sock.recv(4096), b"")).decode()
    return "" if answer == _DONE else answer or "the server has ended"


def notify(state: str) -> None:
    """Tell systemd, or whoever has set NOTIFY_SOCKET, a state."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)  # who does not read shall not stop the service
            sock.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)


def listeners(options: dict[str, Any]) -> list[socket.socket]:
    """Return the sockets to listen on: the service manager's, an inherited one, one at a path, or one at a port.

    Raises:
        SystemExit: It cannot be had.
    """
    config = uvicorn.Config(**options)
    given = range(3, 3 + given_sockets()) if config.fd is None else [config.fd]
    os.environ.pop("LISTEN_FDS", None)  # what the application starts has no such sockets
    if given:
        try:
            return [socket.socket(fileno=each) for each in given]
        except OSError as error:
            logger.error("Descriptor %s is no socket: %s", list(given), error)
            raise SystemExit(STARTUP_FAILURE) from None
    if config.uds is not None and is_stale(config.uds):
        os.unlink(config.uds)
    return [config.bind_socket()]


def given_sockets() -> int:
    """Return how many sockets a service manager has opened for this process, from descriptor 3 on."""
    number = os.environ.get("LISTEN_FDS", "")
    return int(number) if number.isdecimal() and os.environ.get("LISTEN_PID") == str(os.getpid()) else 0


def is_stale(path: str) -> bool:
    """Whether a path is a socket on which nobody listens any more."""
    if not stat.S_ISSOCK(os.stat(path).st_mode if os.path.exists(path) else 0):
        return False
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(path) == errno.ECONNREFUSED


def supervise(options: dict[str, Any], count: int, settings: WorkerSettings) -> int:
    """Serve with `count` workers until a signal ends them; return the exit status.

    `options` are `uvicorn.Config`'s, and can be pickled. Runs on Unix.
    """
    sockets = listeners(options)

    def start(channel: socket.socket) -> SpawnProcess:
        process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(options, sockets, channel, settings), name="slipstream worker"
        )
        process.start()
        return process

    async def run() -> int:
        return await Supervisor(start, sockets, count, settings).run()

    try:
        return asyncio.run(run())
    finally:
        if options.get("uds") is not None:
            Path(options["uds"]).unlink(missing_ok=True)


def _fate(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
