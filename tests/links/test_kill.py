"""Sudden ends: the peer killed, our process killed, SIGTERM under load. What is lost is stated and counted."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .support import PATIENCE

PROGRAMS = Path(__file__).with_name("kill_programs.py")
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs; each is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, PROGRAMS, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.wait()
        assert program.stdout
        program.stdout.close()


def first_line(program: subprocess.Popen[str]) -> str:
    assert program.stdout
    return program.stdout.readline().strip()


def numbers(journal: Path) -> list[int]:
    return [int(line) for line in journal.read_text().splitlines() if line] if journal.exists() else []


def wait_for(journal: Path, count: int) -> list[int]:
    """Wait until so many events have been handled."""
    deadline = time.monotonic() + PATIENCE
    while len(numbers(journal)) < count:
        assert time.monotonic() < deadline, f"{len(numbers(journal))} of {count} events after {PATIENCE} seconds"
        time.sleep(0.005)
    return numbers(journal)


def test_a_peer_that_is_killed_costs_nothing_once_it_is_back(tmp_path: Path, start: Start) -> None:
    """kill -9 of the server, three times: it takes up where we are, and each event is handled once, in order."""
    journal, events = tmp_path / "journal", 3000
    feed = start("feed", 0, events)
    port = first_line(feed)
    start("dialler", f"ws://127.0.0.1:{port}/", journal, 0, 1)

    for share in (1, 2, 3):
        wait_for(journal, events * share // 4)
        feed.kill()
        feed.wait()
        feed = start("feed", port, events)

    assert wait_for(journal, events) == list(range(1, events + 1))


def test_our_process_killed_repeats_at_most_the_event_in_handling(
    tmp_path: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 of ourselves, three times: with the last number kept beside the results, nothing is lost."""
    journal, events = tmp_path / "journal", 3000
    port = first_line(start("feed", 0, events))

    for share in (1, 2, 3):
        dialler = start("dialler", f"ws://127.0.0.1:{port}/", journal, 0, 1)
        wait_for(journal, events * share // 4)
        dialler.kill()
        dialler.wait()
    start("dialler", f"ws://127.0.0.1:{port}/", journal, 0, 1)
    handled = wait_for(journal, events)

    repeated = len(handled) - len(set(handled))
    with capsys.disabled():
        print(f"\nkill -9 of our process, 3 times in {events} events: {repeated} repeated, 0 lost")
    assert set(handled) == set(range(1, events + 1))
    assert repeated <= 3
    assert handled == sorted(handled)


@pytest.mark.parametrize("drain", [5, 0])
def test_sigterm_under_load_says_what_was_not_handled(
    drain: int, tmp_path: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """With time to drain, what was queued is handled; without, it is counted; the next run takes up without a gap."""
    journal, events = tmp_path / "journal", 2000
    port = first_line(start("feed", 0, events))
    dialler = start("dialler", f"ws://127.0.0.1:{port}/", journal, 0.002, drain)
    wait_for(journal, 50)

    dialler.terminate()
    assert dialler.wait(PATIENCE) == 0

    assert dialler.stdout
    output = dialler.stdout.read().splitlines()
    told = json.loads(output[-1])
    with capsys.disabled():
        print(f"\nSIGTERM under load, {drain} s to drain: {told}")
    handled = numbers(journal)
    assert handled == list(range(1, len(handled) + 1))
    assert told["handled"] == len(handled)
    assert told["received"] == told["handled"] + told["lost"] + told["refused"] + told["duplicates"]
    if drain:
        assert told["lost"] == 0
    else:
        assert told["lost"] > 0
        assert any(f"{told['lost']} events received and not handled" in line for line in output)
    start("dialler", f"ws://127.0.0.1:{port}/", journal, 0, 1)
    assert wait_for(journal, events) == list(range(1, events + 1))
