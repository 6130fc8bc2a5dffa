"""A benchmark that compares different answers says nothing: the check before the time, and the record after it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command, harness, report, sources, startup
from benchmarks.work import WORK, Work

REFERENCES = ["fastapi", "starlette", "raw"]


def check(work: Work, builders: dict[str, Any]) -> None:
    asyncio.run(harness.verify(work, harness.build_all(work, builders)))


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.name)
def test_references_answer_alike(work: Work) -> None:
    """FastAPI, Starlette and the hand-written application do the same work."""
    builders, missing = harness.load(REFERENCES)

    check(work, builders)

    assert missing == {}


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.name)
def test_slipstream_answers_as_the_references(work: Work) -> None:
    """Right and wrong requests alike."""
    builders, missing = harness.load(["raw", "slipstream"])
    if "slipstream" in missing:
        pytest.skip(missing["slipstream"])

    check(work, builders)


def answering(status: int, body: bytes, **headers: str) -> Any:
    sent = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    return lambda work: app


@pytest.mark.parametrize(
    "other",
    [
        answering(200, b'{"hello":"you"}'),
        answering(500, b'{"hello":"world"}'),
        answering(200, b'{"hello": "world"}'),
        answering(200, b'{"hello":"world"}', **{"content-type": "text/plain"}),
        answering(200, b'{"hello":"world"}', **{"content-length": "3"}),
        answering(200, b'{"hello":"world"}'),  # right, but it does not know 404
    ],
    ids=["value", "status", "spacing", "type", "length", "unknown path"],
)
def test_a_candidate_that_answers_otherwise_is_found_out(other: Any) -> None:
    """The check can fail, in each of the things that it compares."""
    builders, _ = harness.load(["raw"])

    with pytest.raises(harness.Disagreement):
        check(WORK[0], {**builders, "other": other})


def test_a_candidate_that_fails_is_named() -> None:
    """Not a traceback from the middle of an event loop."""

    def build(work: str) -> Any:
        raise ValueError("no such thing")

    with pytest.raises(harness.Disagreement, match="other: cannot be built"):
        check(WORK[0], {"other": build})


def test_a_disagreement_is_an_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CI stops; no record is written."""
    builders, _ = harness.load(["raw"])
    monkeypatch.setattr(harness, "load", lambda names: ({**builders, "other": answering(200, b"{}")}, {}))

    code = command.main(["--quick", "--only", "plain", "--json", str(tmp_path / "record.json")])

    assert code == 1
    assert not (tmp_path / "record.json").exists()


def test_a_quick_run_leaves_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With machine, versions and commit, as a claim in the docs needs them."""
    path = tmp_path / "record.json"

    code = command.main(
        ["--quick", "--only", "plain", "deps", "route500", "--candidates", *REFERENCES, "--json", str(path)]
    )

    record = json.loads(path.read_text(encoding="utf-8"))
    assert code == 0
    assert set(record["requests_us"]) == {"plain", "deps", "route 1", "route 500"}
    assert set(record["requests_us"]["deps"]) == set(REFERENCES)
    assert record["requests_us"]["deps"]["fastapi"]["min"] > record["requests_us"]["deps"]["raw"]["min"] > 0
    assert record["versions"]["fastapi"] == "0.165.0"
    assert {"machine", "python", "commit", "time", "goals"} <= set(record)
    assert "deps" in capsys.readouterr().out


def test_goals_are_marked() -> None:
    """Reached, not reached, or not measured; a slow run is no failure."""
    costs = {"item": {"fastapi": 120.0, "raw": 5.0, "slipstream": 5.5}, "post": {"fastapi": 50.0, "slipstream": 5.0}}

    found = {f"{goal.row} {goal.limit:g}": goal.is_reached for goal in report.goals(costs, {})}

    assert found == {"item 20": True, "item 1.4": True, "post 20": False, "post 1.4": None}


@pytest.mark.skipif(not hasattr(__import__("os"), "wait4"), reason="needs the resource usage of a child")
def test_start_up_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter alone is the floor; both ways to register give the same operations."""
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))

    found = startup.measure(["fastapi"], repeats=1, routes=20)

    assert found["import"]["interpreter"]["cpu_ms"] < found["import"]["fastapi"]["cpu_ms"]
    assert 0 < found["import"]["interpreter"]["rss_mib"] < found["import"]["fastapi"]["rss_mib"]
    assert found["routes"]["fastapi"]["operations"] == found["included"]["fastapi"]["operations"] == 20
    for title in ("tour", "shop"):
        assert 0 < found[title]["fastapi"]["import_ms"] < found[title]["fastapi"]["cpu_ms"]


def test_whole_applications_are_the_same_under_both_frameworks(tmp_path: Path) -> None:
    """They differ in one name; so do the answers in nothing, or the figures would compare two programs."""
    answers = {}
    for web in ("fastapi", "slipstream"):
        (tmp_path / web).mkdir()
        sources.write(tmp_path / web, web)
        program = (
            "import asyncio, sys; sys.path[:0] = sys.argv[1:3]\n"
            "from main import app\n"
            "from benchmarks.startup import first_answer\n"
            "print(asyncio.run(first_answer(app, '/v1/r3/3/7')), len(app.openapi()['paths']))\n"
            "print(sorted(app.openapi()['components']['schemas']))\n"
        )
        arguments = [sys.executable, "-c", program, str(tmp_path / web / "shop"), str(Path(__file__).parents[2])]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        answers[web] = done.stdout

    assert answers["fastapi"] == answers["slipstream"]
    assert answers["slipstream"].startswith('(200, b\'{"id":7')
    assert (sources.MODELS, sources.ROUTES, sources.ROUTERS) == (30, 150, 20)
