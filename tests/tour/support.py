"""What the tour's tests share: the application in a server of its own, its users, and readers of what it sends."""

import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2
from websockets.sync.client import ClientConnection, connect

EXAMPLES = Path(__file__).parents[2] / "examples"
UVICORN = ("uvicorn", "tour.main:app", "--app-dir", str(EXAMPLES), "--timeout-graceful-shutdown", "3")
SLIPSTREAM_RUN = ("slipstream", "run", str(EXAMPLES / "tour" / "main.py"))
PATIENCE = 30
"""Seconds after which something that should happen at once is taken for lost."""


class Server:
    """The tour in a process of its own, on a free port of the loopback interface.

    Args:
        data_dir: Where the database, the uploads and the secret live.
        program: The Python module that serves it, and its arguments.
        environment: Further settings, such as `TOUR_SECRET`.
    """

    def __init__(self, data_dir: Path, program: Sequence[str] = UVICORN, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOUR_")}
        self.url = ""
        self.log: list[str] = []
        self._announced = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", *program, "--port", "0"],
            env={**inherited, "TOUR_DATA_DIR": str(data_dir), **environment},
            cwd=data_dir,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self._announced.wait(PATIENCE)
        if not self.url:
            self.stop()
            raise RuntimeError("the tour did not start:\n" + "".join(self.log))

    def _read_log(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.log.append(line)
            if running := re.search(r"running on (http://\S+)", line):
                self.url = running[1]
                self._announced.set()
        self._announced.set()  # it died

    def client(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, trust_env=False, timeout=PATIENCE, **options)

    def join(self, room: str, name: str) -> ClientConnection:
        """Open a chat WebSocket."""
        query = httpx2.QueryParams(name=name)
        url = f"{self.url.replace('http', 'ws', 1)}/chat/{room}/ws?{query}"
        return connect(url, proxy=None, max_queue=None)  # a test may leave frames unread

    def ask_to_stop(self) -> None:
        """Send SIGTERM, and return at once."""
        self._process.terminate()

    def stop(self) -> int:
        """Stop the server, wait for its end, return its exit code."""
        self.ask_to_stop()
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stderr
            self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        # Whatever the tests sent, nothing may have failed behind their back.
        mishaps = [line for line in self.log if "Traceback" in line or line.startswith("ERROR")]
        assert not mishaps, "".join(self.log)


@dataclass
class Account:
    """A user who has signed up and logged in; the client sends their token."""

    id: int
    username: str
    password: str
    token: str
    client: httpx2.Client

    @classmethod
    def create(cls, server: Server) -> Self:
        username, password = f"user-{secrets.token_hex(6)}", secrets.token_urlsafe(12)
        client = server.client()
        new = {"username": username, "email": f"{username}@example.com", "password": password}
        created = client.post("/users", json=new)
        assert created.status_code == 201, created.text
        token = client.post("/users/token", data={"username": username, "password": password}).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return cls(created.json()["id"], username, password, token, client)

    def create_item(self, **fields: Any) -> dict[str, Any]:
        created = self.client.post("/items", json={"name": "Kite", "price_cents": 1250, **fields})
        assert created.status_code == 201, created.text
        return dict(created.json())


@dataclass
class Event:
    """One Server-Sent Event."""

    event: str = "message"
    id: str = ""
    retry: str = ""
    data: list[str] = field(default_factory=list)


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Parse an event stream, as a browser does: an empty line ends an event; comments are passed over."""
    event = Event()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if event.data:
                yield event
            event = Event()
        elif name == "data":
            event.data.append(value)
        elif name:
            setattr(event, name, value)


def locations(refused: httpx2.Response) -> list[list[str | int]]:
    """The `loc` of each error in a 422."""
    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/json"
    return [error["loc"] for error in refused.json()["detail"]]
