"""`slipstream run`, in processes of its own."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from slipstream.cli.run import address_complaint
from tests.serving import Served, free_port, served_by

Write = Callable[[str, str], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]

HELLO = """
import os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def home(request):
    return PlainTextResponse(f"{request.scope['root_path']} {os.getpid()}")

app = Starlette(routes=[Route("/", home)])
"""


def serving(folder: Path, *arguments: str) -> AbstractContextManager[Served]:
    return served_by(folder, sys.executable, "-m", "slipstream", "run", *arguments, "--port", "PORT")


def test_a_file_is_served_and_the_address_is_told(write: Write, tmp_path: Path) -> None:
    """The first thing that anyone does with it."""
    write("main.py", HELLO)

    with serving(tmp_path, "main.py", "--root-path", "/v1") as served:
        served.wait_for(f"serving main:app on http://127.0.0.1:{served.port}")
        served.wait_for("startup complete")
        assert served.get().startswith("/v1 ")


LIMITED = """
import slipstream

app = slipstream.FastAPI()

@app.get("/")
async def home() -> str:
    return app.limits_in_force.nosniff and "internet" or "compatible"
"""


@pytest.mark.parametrize(
    ("arguments", "said", "answer"),
    [
        ([], "limits: compatible with FastAPI", "compatible"),
        (["--limits", "internet"], "limits: internet", "internet"),
        (["--limits", "internet", "--workers", "2"], "limits: internet", "internet"),
        (["--limits", "internet", "--reload"], "limits: internet, where the application has none", "internet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_limits_are_told_and_hold_in_the_processes_that_serve(
    write: Write, tmp_path: Path, arguments: list[str], said: str, answer: str
) -> None:
    """Whoever serves a program of others decides how strict it is, and sees it."""
    write("main.py", LIMITED)

    with serving(tmp_path, "main.py", *arguments) as served:
        served.wait_for(said)
        served.wait_for("startup complete")
        assert served.get() == f'"{answer}"'


def test_limits_of_the_server_are_options(write: Write, tmp_path: Path) -> None:
    """They hold in the processes that serve, too."""
    write("main.py", HELLO)

    with serving(tmp_path, "main.py", "--limit-headers", "3", "--workers", "2") as served:
        served.wait_for("startup complete", times=2)
        with pytest.raises(HTTPError) as error:
            served.get()  # urllib sends four
        error.value.close()

    assert error.value.code == 431


ECHO = """
from slipstream import FastAPI, WebSocket

app = FastAPI()

@app.websocket("/")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    raise LookupError
"""


def test_origins_and_pings_of_websockets_are_options(write: Write, tmp_path: Path) -> None:
    """And a handler that raises says so."""
    write("main.py", ECHO)

    with serving(tmp_path, "main.py", "--ws-origins", "https://a.example", "--ws-ping-interval", "0.1") as served:
        served.wait_for("running on")
        url = f"ws://127.0.0.1:{served.port}/"
        with pytest.raises(InvalidStatus) as refused:
            connect(url, origin=Origin("https://b.example"), proxy=None)
        with connect(url, origin=Origin("https://a.example"), proxy=None) as client:
            client.send("text")
            assert client.recv() == "text"
            with pytest.raises(ConnectionClosed) as closed:
                client.recv()

    assert refused.value.response.status_code == 403
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], r'^INFO:     127\.0\.0\.1:\d+ - "GET / HTTP/1\.1" 200$'),
        (
            ["--log-format", "json"],
            r'^\{"time": ".*", "client": "127\.0\.0\.1:\d+", "method": "GET", "path": "/".*200\}$',
        ),
    ],
    ids=["text", "json"],
)
def test_a_line_is_logged_for_each_response(write: Write, tmp_path: Path, arguments: list[str], line: str) -> None:
    """People and programs read it."""
    write("main.py", HELLO)

    with serving(tmp_path, "main.py", *arguments) as served:
        served.wait_for("running on")
        served.get()
        served.wait_for(line)


def test_the_access_log_can_be_off(write: Write, tmp_path: Path) -> None:
    """A proxy in front has its own."""
    write("main.py", HELLO)

    with serving(tmp_path, "main.py", "--no-access-log") as served:
        served.wait_for("running on")
        served.get()

    assert not any("GET" in line for line in [*served.seen, *served.lines.queue] if line is not None)


FILTERED = (
    HELLO
    + """
import logging
logging.getLogger("uvicorn.access").addFilter(lambda record: "health" not in record.getMessage())
"""
)


def test_a_filter_of_the_access_log_has_its_effect(write: Write, tmp_path: Path) -> None:
    """Many programs leave out their health checks."""
    write("main.py", FILTERED)

    with serving(tmp_path, "main.py") as served:
        served.wait_for("running on")
        served.get()
        for path in ("health", "other"):
            with pytest.raises(HTTPError) as error:
                urlopen(f"http://127.0.0.1:{served.port}/{path}", timeout=30)
            error.value.close()
        served.wait_for("GET /other")

    assert not any("GET /health" in line for line in served.seen)


ENDLESS = """
import anyio
from slipstream import FastAPI
from slipstream.responses import StreamingResponse

app = FastAPI()

async def forever():
    yield b"here"
    await anyio.sleep_forever()

@app.get("/")
async def stream():
    return StreamingResponse(forever())
"""


def test_an_open_stream_does_not_keep_the_server_from_stopping(write: Write, tmp_path: Path) -> None:
    """A deployment that waits for every open stream never ends."""
    write("main.py", ENDLESS)

    with serving(tmp_path, "main.py", "--timeout-graceful-shutdown", "1") as served:
        served.wait_for("running on")
        with urlopen(f"http://127.0.0.1:{served.port}/", timeout=30) as response:
            assert response.read(4) == b"here"
            served.process.send_signal(signal.SIGTERM)
            served.process.wait(20)


def test_workers_are_processes_of_their_own(write: Write, tmp_path: Path) -> None:
    """Each worker finds the application itself, by the same rules."""
    write("main.py", HELLO)

    with serving(tmp_path, "main.py", "--workers", "2") as served:
        served.wait_for("startup complete", times=2)
        assert int(served.get()) != served.process.pid


def test_a_change_is_served_after_a_reload(write: Write, tmp_path: Path) -> None:
    """What `--reload` is for."""
    file = write("main.py", HELLO)

    with serving(tmp_path, "main.py", "--reload") as served:
        served.wait_for("startup complete")
        for attempt in range(60):  # the watcher begins a moment after the first start
            file.write_text(HELLO.replace("{os.getpid()}", "changed") + f"# {attempt}\n")
            if served.says("detected changes", within=1):
                break
        served.wait_for("startup complete")
        assert served.get().endswith("changed")


def test_the_alias_holds_in_the_processes_that_serve(write: Write, tmp_path: Path) -> None:
    """A program that imports fastapi runs unchanged, also where uvicorn starts the process, or the program does."""
    child = "import fastapi.params; print(fastapi.params.__file__)"
    write("main.py", HELLO + (
        "import subprocess, sys, fastapi.exceptions\nprint(fastapi.exceptions.__file__)\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)\n"
    ))  # fmt: skip

    with serving(tmp_path, "main.py", "--alias", "--reload") as served:
        served.wait_for(r"^.*slipstream.exceptions\.py$")
        served.wait_for(r"^.*slipstream.params\.py$")
        served.wait_for("startup complete")


def test_a_taken_port_is_told(write: Write, slipstream: Command) -> None:
    """Said before the application is imported, which may take long."""
    write("main.py", "1 / 0")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        answer = slipstream("run", "main.py", "--port", str(port))

    assert answer.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken by another program" in answer.stderr
    assert f"--port {port + 1}" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["nowhere.py"], "there is no file nowhere.py"),
        (["nowhere.py", "--reload"], "there is no file nowhere.py"),
        (["main.py", "--app", "other"], "main has no other"),
        (["main.py", "--reload", "--workers", "2"], "--reload and --workers together"),
        (["main.py", "--ssl-keyfile", "main.py"], "--ssl-keyfile without --ssl-certfile"),
        (["main.py", "--ssl-certfile", "none.pem"], "'none.pem' does not exist"),
        (["main.py", "--port", "70000"], "70000 is not in the range"),
    ],
)
def test_a_wrong_call_exits_with_2(write: Write, slipstream: Command, arguments: list[str], seen: str) -> None:
    """Scripts tell a wrong call by its code; people by its sentence."""
    write("main.py", HELLO)

    answer = slipstream("run", *arguments)

    assert answer.returncode == 2
    assert seen in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_error_in_the_program_exits_with_1(write: Write, slipstream: Command) -> None:
    """Not the call is wrong but the program; its traceback is shown."""
    write("main.py", "1 / 0")

    answer = slipstream("run", "main.py", "--port", str(free_port()))

    assert answer.returncode == 1
    assert "ZeroDivisionError" in answer.stderr
    assert "main raised the error above while it was imported" in answer.stderr


def test_a_wrong_number_of_workers_in_the_environment_is_told(write: Write, slipstream: Command) -> None:
    """Platforms set this variable."""
    write("main.py", HELLO)

    answer = slipstream("run", "main.py", WEB_CONCURRENCY="many")

    assert answer.returncode == 2
    assert "WEB_CONCURRENCY is 'many'" in answer.stderr


def test_addresses_that_cannot_be_listened_on_are_told_apart() -> None:
    """Each has another remedy."""
    assert address_complaint("127.0.0.1", 0) is None
    assert "no address of this machine" in str(address_complaint("192.0.2.1", 8000))
    assert "there is no host" in str(address_complaint("no such host", 8000))
