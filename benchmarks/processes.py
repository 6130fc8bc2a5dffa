"""Servers in processes of their own: what starts them, ends them, and reads how much CPU time they have used.

Needs Linux: the CPU time of a process and of what it has started is read from its clocks and from `/proc`.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60


@dataclass
class Served:
    """A candidate in its process."""

    process: "subprocess.Popen[Any]"
    port: int

    def cpu(self) -> float:
        """CPU seconds, user and system, that the process and all that it has started have used, with their threads."""
        return sum(map(cpu_of, tree(self.process.pid)))


def cpu_of(pid: int) -> float:
    """CPU seconds of a process with all its threads, those that have ended too; 0 if it has ended."""
    clock = (~pid << 3) | 2  # as `clock_getcpuclockid(3)` has it; in nanoseconds, where /proc counts hundredths
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def tree(pid: int) -> Iterator[int]:
    """Give a process, and what it has started, and so on."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            yield from tree(int(child))


@contextmanager
def started(*arguments: str, module: str = "benchmarks.servers") -> Iterator[Served]:
    """Start a candidate, by a module that serves what the arguments say and prints its port; end it."""
    command = [sys.executable, "-m", module, "--serve", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Served(process, int(process.stdout.readline()))
        finally:
            process.terminate()


@contextmanager
def commanded(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Served]:
    """Start a candidate by a command of its own; end it, and what it has started.

    Args:
        command: Arguments for Python; `{port}` in them, and in the values of `environment`, is the port to serve on.
        environment: Variables besides those of this process.

    Raises:
        RuntimeError: Nothing listens within a minute, or the command ends; with the end of what it wrote.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    arguments = [sys.executable, *(part.format(port=port) for part in command)]
    variables = os.environ | {name: value.format(port=port) for name, value in environment.items()}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables, start_new_session=True
        )
        try:
            if not listens(process, port):
                output.seek(0)
                raise RuntimeError(f"{' '.join(arguments[1:])} does not serve: {output.read()[-2000:]}")
            yield Served(process, port)
        finally:
            end(process)


def listens(process: "subprocess.Popen[Any]", port: int) -> bool:
    """Wait until a port is open; False if the process ends, or a minute is over."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def end(process: "subprocess.Popen[Any]") -> None:
    """End the session of a process: it is asked, and killed if it is there two seconds later."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(2)
        except ProcessLookupError:  # all have ended
            return
        except subprocess.TimeoutExpired:
            continue
    process.wait()
