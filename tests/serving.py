"""Servers in processes of their own."""

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from urllib.request import urlopen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """A running server, whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.lines: Queue[str | None] = Queue()
        self.seen: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def wait_for(self, pattern: str, times: int = 1) -> None:
        """Read on until the output has had that many lines with the pattern."""
        for _ in range(times):
            assert self.says(pattern, within=60), f"never saw {pattern!r} in:\n{''.join(self.seen)}"

    def says(self, pattern: str, within: float) -> bool:
        """Read on until a line has the pattern, or none has come for so many seconds."""
        with suppress(Empty):
            while line := self.lines.get(timeout=within):
                self.seen.append(line)
                if re.search(pattern, line):
                    return True
        return False

    def get(self) -> str:
        """Ask for `/`; uvicorn tells that start-up is complete shortly before it listens."""
        for _ in range(100):
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                break
            threading.Event().wait(0.05)
        with urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as response:
            text: str = response.read().decode()
            return text


@contextmanager
def served_by(folder: Path, *command: str, stop: signal.Signals = signal.SIGINT) -> Iterator[Served]:
    """Run a server in a folder until the end of the block; `PORT` in its command stands for a free port."""
    port = free_port()
    with subprocess.Popen(
        [word.replace("PORT", str(port)) for word in command],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        served = Served(process, port)
        try:
            yield served
        finally:
            if process.poll() is None:
                process.send_signal(stop)
            try:
                process.wait(30)
                served.reader.join(30)  # to the end of the output, which the end of the block closes
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


def make_certificate(both: Path) -> None:
    """Write a self-signed certificate for localhost, and its key, into one file."""
    key = both.with_name("key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(key), "-out", str(both), "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_text(key.read_text() + both.read_text())
