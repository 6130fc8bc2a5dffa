"""The example runs as its README says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_example_ends_with_its_input() -> None:
    """Ctrl-D, or a pipe, is an end and no error."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.bots.onebot"],
        cwd=ROOT,
        input="/echo hello\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, "/echo hello -> hello" in done.stdout) == (0, True), done.stderr


def test_the_example_answers_its_commands() -> None:
    """One command starts the bot and a platform; a reader's first impression."""
    said = ["/echo hello", "/who", "/roll 1d1", "/roll one"]
    command = [sys.executable, "-m", "examples.bots.onebot"]

    done = subprocess.run(
        [*command, *(f"--say={line}" for line in said)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert [line for line in done.stdout.splitlines() if " -> " in line] == [
        "/echo hello -> hello",
        "/who -> I am Slip, you are Friend",
        "/roll 1d1 -> 1 = 1",
        "/roll one -> say how many dice with how many sides, as in /roll 2d6",
    ]
