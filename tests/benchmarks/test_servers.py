"""The benchmark of whole servers: real processes, real sockets, few requests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import processes, servers
from benchmarks.harness import Disagreement
from benchmarks.work import WORK

ITEM = next(work for work in WORK if work.name == "post").timed["post"]
CHECKED_IN_PROCESS = ("fastapi", "starlette", "raw", "slipstream", "direct", "run", "run, no log")
"""Candidates whose applications `test_benchmarks.py` has checked for every work."""
BURN = "import time\nwhile time.process_time() < 0.2: pass"


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))


def test_a_request_is_written_as_a_client_writes_it() -> None:
    """Head, empty line, body; with a length that is true."""
    head, _, body = servers.written(ITEM).partition(b"\r\n\r\n")

    assert head.startswith(b"POST /items HTTP/1.1\r\nhost: shop.example.com\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert body == ITEM.body


@pytest.mark.parametrize(
    ("answer", "size"),
    [(b"HTTP/1.1 200 OK\r\nContent-", None), (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na", 41)],
)
def test_the_size_of_an_answer_is_known_from_its_head(answer: bytes, size: int | None) -> None:
    """It may come in several pieces."""
    assert servers.size_of(answer) == size


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\ncontent-length: 1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_other_answers_are_not_counted(answer: bytes) -> None:
    """A server that fails fast must not look fast."""
    with pytest.raises(RuntimeError, match="not an answer to count"):
        servers.size_of(answer)


def test_a_run_leaves_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By either door, beside hand-written ASGI."""
    record = tmp_path / "record.json"
    options = ["--only", "plain", "--candidates", "raw", "slipstream", "direct", "--rounds", "1", "--seconds", "0.01"]

    code = servers.main([*options, "--json", str(record)])

    costs = json.loads(record.read_text(encoding="utf-8"))["requests_us"]["plain"]
    assert code == 0
    assert all(costs[name] > 0 for name in ("raw", "slipstream", "direct"))
    assert "plain" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, each in servers.CANDIDATES.items() if each.is_checked])
def test_each_candidate_that_is_installed_does_the_work(name: str) -> None:
    """By its own server; the peers are installed in the environment of `make peers`."""
    if servers.present([name])[1]:
        pytest.skip(f"{servers.CANDIDATES[name].package} is not installed")
    for work in [each for each in WORK if each.name == "item"] if name in CHECKED_IN_PROCESS else WORK:
        if name not in (work.done_by or (name,)):
            continue
        with servers.start(name, work.name) as served:
            servers.check(name, served.port, work)

            for call in work.timed.values():
                servers.ask(served.port, servers.written(call), 20, call.status)

            assert served.cpu() > 0


@pytest.mark.parametrize(
    ("name", "seen"), [("plain", "200, not with a refusal"), ("item", "200, {'hello': 'world'}, not"), ("mw", "header")]
)
def test_a_server_that_answers_otherwise_is_found_out(name: str, seen: str) -> None:
    """The floor has one answer for everything: right for one request, and wrong in each of the things compared."""
    work = next(each for each in WORK if each.name == name)

    with servers.start("bare", name) as served, pytest.raises(Disagreement, match=f"{name}: .*bare.*{seen}"):
        servers.check("bare", served.port, work)


def test_a_disagreement_ends_the_run_and_leaves_no_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times of different work cannot be compared."""
    bare = servers.CANDIDATES["bare"]
    monkeypatch.setitem(servers.CANDIDATES, "bare", servers.Candidate(bare.package, bare.module, bare.protocol))
    record = tmp_path / "record.json"

    code = servers.main(["--only", "item", "--candidates", "bare", "--json", str(record)])

    assert code == 1
    assert not record.exists()
    assert "candidates disagree: item: GET /items/42: bare answers 200" in capsys.readouterr().err


def test_a_candidate_that_is_not_installed_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are measured; the record tells who is missing."""
    monkeypatch.setitem(servers.CANDIDATES, "robyn", servers.Candidate("a_package_that_is_not_there"))
    record = tmp_path / "record.json"
    options = ["--only", "plain", "--candidates", "robyn", "raw", "--rounds", "1", "--seconds", "0.01"]

    servers.main([*options, "--json", str(record)])

    assert "not installed, left out: robyn" in capsys.readouterr().err
    kept = json.loads(record.read_text(encoding="utf-8"))
    assert kept["missing"] == ["robyn"]
    assert list(kept["requests_us"]["plain"]) == ["raw"]


def test_the_time_of_a_server_is_that_of_its_children_and_threads_too() -> None:
    """Granian and Sanic serve in a child, Robyn in threads."""
    thread = (
        f"import threading\nthread = threading.Thread(target=exec, args=({BURN!r},))\nthread.start()\nthread.join()"
    )
    child = f"{thread}\nprint(flush=True)\ninput()"
    parent = f"import subprocess, sys\n{BURN}\nsubprocess.run([sys.executable, '-c', {child!r}])"
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()

        used = processes.Served(process, 0).cpu()

        process.communicate("\n")
    assert used >= 0.38


def test_a_process_that_has_ended_has_used_nothing() -> None:
    """One that ends while the tree is walked is no error."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert processes.cpu_of(process.pid) == 0
    assert list(processes.tree(process.pid)) == [process.pid]


def test_a_command_that_does_not_serve_says_what_it_wrote() -> None:
    """Not a refused connection without a reason."""
    command = ["-c", "import sys; sys.exit('port {port} is not for me')"]

    with pytest.raises(RuntimeError, match=r"does not serve: port \d+ is not for me"), processes.commanded(command, {}):
        pass


COSTS = {
    "plain": {"fastapi": 80.0, "raw": 20.0, "granian": 16.0, "bare": 7.0, "run": 15.0, "run, no log": 12.0},
    "mw": {"raw": 25.0, "run, no log": 18.0},
}


def test_goals_are_those_of_the_product_without_a_log() -> None:
    """What it costs, of hand-written ASGI, of the floor, of FastAPI and of the cheapest peer."""
    found = {f"{goal.row}: {goal.text}": (goal.value, goal.is_reached) for goal in servers.goals(COSTS)}

    assert found == {
        "plain: times cheaper than FastAPI:": (pytest.approx(80 / 12), True),
        "plain: of hand-written ASGI:": (pytest.approx(0.6), True),
        "plain: of the bare protocol:": (pytest.approx(12 / 7), True),
        "plain: of the cheapest peer, granian:": (pytest.approx(0.75), True),
        "mw: of the cheapest peer, raw:": (pytest.approx(0.72), True),
        "mw: of none:": (pytest.approx(1.5), False),
    }


def test_the_table_has_a_line_a_candidate_with_ratios() -> None:
    """To what `slipstream run` costs; a dash for what was not measured."""
    lines = [line.split() for line in servers.table(COSTS).splitlines()]

    assert lines[0][-2:] == ["plain", "mw"]
    assert ["granian", "16.0", "(1.33)", "–", "(–)"] in lines
    assert ["raw", "20.0", "(1.67)", "25.0", "(1.39)"] in lines
    assert lines[-1] == ["run,", "no", "log", "12.0", "(1.00)", "18.0", "(1.00)"]
