"""The processes of servers have the alias: those that the environment's is on in, and those of a command under it."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compat.environments import Environment
from tests.serving import served_by

Write = Callable[[str, str], Path]

PROGRAM = """
import os
import sys
import fastapi
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def home() -> dict[str, bool | int]:
    is_alias = fastapi is sys.modules.get("slipstream")
    return {"alias": is_alias, "told": "PYTHONPATH" in os.environ, "process": os.getpid()}
"""

UVICORN = ["uvicorn", "main:app", "--port", "PORT"]
GUNICORN = ["gunicorn", "main:app", "-w", "1", "-b", "127.0.0.1:PORT"]
FASTAPI = ["--port", "PORT", "main.py"]


def answer(folder: Path, command: list[str]) -> dict[str, object]:
    """Serve the program and ask it; adds whether a process answers that the server has started."""
    with served_by(folder, *command, stop=signal.SIGTERM) as served:
        served.wait_for("startup complete|Listening at")
        found: dict[str, object] = json.loads(served.get())
        return {**found, "process": found["process"] != served.process.pid}


@pytest.mark.parametrize(
    "command",
    [
        ["-m", *UVICORN, "--workers", "2"],
        ["-m", *UVICORN, "--reload"],
        ["-m", *GUNICORN, "-k", "uvicorn_worker.UvicornWorker"],
        ["bin/fastapi", "run", "--workers", "2", *FASTAPI],
    ],
    ids=" ".join,
)
def test_processes_of_servers_have_the_environments_alias(
    aliased: Environment, write: Write, tmp_path: Path, command: list[str]
) -> None:
    """uvicorn starts them anew and gunicorn forks them; no variable says that the alias is on."""
    write("main.py", PROGRAM)
    if command[0] != "-m":
        command = [str(aliased.folder / command[0]), *command[1:]]

    found = answer(tmp_path, [str(aliased.folder / "bin" / "python"), *command])

    assert found == {"alias": True, "told": False, "process": True}


@pytest.mark.parametrize(
    "command",
    [[*UVICORN, "--workers", "2"], [*GUNICORN, "-k", "asgi"], ["fastapi", "dev", *FASTAPI]],
    ids=" ".join,
)
def test_processes_of_servers_have_the_alias_of_a_command(write: Write, tmp_path: Path, command: list[str]) -> None:
    """Here the real fastapi is installed; a variable tells them to leave it."""
    write("main.py", PROGRAM)

    found = answer(tmp_path, [sys.executable, "-m", "slipstream.compat", "-m", *command])

    assert found == {"alias": True, "told": True, "process": True}
