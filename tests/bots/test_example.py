"""The example in examples/bots/echo, run as its users run it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[2] / "examples" / "bots" / "echo"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, and where its page is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(
        [sys.executable, str(HERE)],
        env=environment,
        cwd=tmp_path_factory.mktemp("echo"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def state_when(url: str, claim: Any) -> Any:
    """Look at the state, as the page does, until a claim holds."""
    deadline = time.monotonic() + 30
    while True:
        try:
            state = json.loads(fetch(f"{url}/state"))
            if claim(state):
                return state
        except OSError:
            state = "no answer"
        assert time.monotonic() < deadline, state
        time.sleep(0.05)  # another process: there is no event to wait for


def test_one_command_runs_four_bots_in_both_directions(program: tuple[subprocess.Popen[str], str]) -> None:
    """Dialled and dialling, polled and posted to: each is answered through the platform's API."""
    _, url = program
    ways = {"you dial", "I dial", "you poll", "I post"}

    state = state_when(url, lambda seen: {text.split(": ")[1].rsplit(" ", 1)[0] for _, text in seen["heard"]} == ways)

    assert {link["name"]: link["state"] for link in state["links"]} == {"echo/dialling": "up", "echo/polling": "up"}
    assert {bot["id"]: bot["dialled_by"] for bot in state["bots"]} == {
        "dialled": "platform",
        "dialling": "bot",
        "polling": "bot",
    }


def test_its_page_shows_the_links(program: tuple[subprocess.Popen[str], str]) -> None:
    """And asks for their state as long as it is open."""
    _, url = program
    state_when(url, lambda seen: True)

    page = fetch(url)

    assert "<title>Echo bots</title>" in page
    assert 'fetch("state")' in page


def test_ctrl_c_ends_it_in_order(program: tuple[subprocess.Popen[str], str]) -> None:
    """Without a traceback, links and platform closed."""
    process, url = program
    state_when(url, lambda seen: True)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)

    assert "Traceback" not in output
    assert "link echo/dialling: closed (shutting down)" in output
