"""`slipstream reload`, and the options for workers: wrong ones are told. test_supervise.py has what right ones do."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str, str], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["run", "main.py", "--workers", "many"], "'many' is neither a number from 1 on nor auto"),
        (["run", "main.py", "--workers", "0"], "'0' is neither a number from 1 on nor auto"),
        (["run", "main.py", "--lame-duck", "3"], "--lame-duck without workers"),
        (["run", "main.py", "--reload", "--limit-max-age", "3"], "--limit-max-age without workers"),
        (["run", "main.py", "--reload", "--reloadable"], "--reload and --reloadable together"),
        (["run", "main.py", "--health", "/livez"], "write two paths: --health /livez,/readyz"),
        (["run", "main.py", "--pidfile", "none/pid"], "--pidfile none/pid cannot be written"),
        (["reload"], "there is no process id, or there are two"),
        (["reload", "1", "--pidfile", "main.py"], "there is no process id, or there are two"),
        (["reload", "--pidfile", "main.py"], "main.py holds no process id: 'async def app"),
        (["reload", "999999999"], "process 999999999 is no supervisor of this user"),
    ],
)
def test_a_wrong_call_exits_with_2(write: Write, slipstream: Command, arguments: list[str], seen: str) -> None:
    """Scripts tell a wrong call by its code; people by its sentence."""
    write("main.py", "async def app(scope, receive, send): ...")

    answer = slipstream(*arguments, *(["--port", "0"] if arguments[0] == "run" else []))

    assert answer.returncode == 2
    assert seen in answer.stderr
    assert "Traceback" not in answer.stderr
