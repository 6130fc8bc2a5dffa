"""Run a package's tests in one environment, and compare two runs."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.ecosystem.environments import INSIDE, ROOT, Environment, Side, stamp
from tests.ecosystem.packages import Package

WORST_LAST = ("passed", "skipped", "failed")
USAGE = Path(__file__).parent / "usage"
"""Small programs of ours for packages whose source distribution has no tests."""
RETRIED = 30
"""As many tests are run a second time, for a failure that does not come again to be forgiven."""


@dataclass(frozen=True)
class Run:
    """What became of each test."""

    outcomes: dict[str, str]
    causes: dict[str, str]
    ended: str
    """`finished`, or why not."""
    seconds: float

    @property
    def passed(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome == "passed"}


@dataclass(frozen=True)
class Comparison:
    """Tests that pass with FastAPI, and which of them pass here."""

    expected: set[str]
    passed: set[str]
    causes: dict[str, str]
    """Per test that falls short, why."""

    def grouped(self) -> list[tuple[str, list[str]]]:
        """Causes and their tests, the most frequent first."""
        counted = Counter(self.causes.values())
        return [(why, sorted(t for t, w in self.causes.items() if w == why)) for why, _ in counted.most_common()]


def compare(fastapi: Run, slipstream: Run) -> Comparison:
    """Compare two runs by test id; a test that did not run here has its file's error as cause, if there is one."""
    expected = fastapi.passed
    slipstream = _aligned(slipstream, fastapi)
    short = expected - slipstream.passed
    causes = {test: slipstream.causes.get(test) or _cause_of_absence(test, slipstream) for test in short}
    return Comparison(expected, expected - short, causes)


def _aligned(run: Run, like: Run) -> Run:
    """Give a test whose parameters have other values in every run, such as tokens, the id it has in the other run."""
    names: dict[str, str] = {}
    ours, theirs = _variants(run), _variants(like)
    for function, tests in ours.items():
        others = theirs.get(function, [])
        if len(others) == len(tests) and set(others) != set(tests):
            names.update(zip(tests, others, strict=True))
    return replace(
        run,
        outcomes={names.get(test, test): outcome for test, outcome in run.outcomes.items()},
        causes={names.get(test, test): why for test, why in run.causes.items()},
    )


def _variants(run: Run) -> dict[str, list[str]]:
    """Ids of each test function, in the order in which they ran."""
    found: dict[str, list[str]] = {}
    for test in run.outcomes:
        found.setdefault(test.partition("[")[0], []).append(test)
    return found


def _cause_of_absence(test: str, run: Run) -> str:
    if test in run.outcomes:
        return run.outcomes[test]
    above = [
        name for name in run.causes if "::" not in name and (test.startswith((f"{name}::", f"{name}/")) or not name)
    ]
    if above:
        return run.causes[max(above, key=len)]
    return "not run" if run.ended == "finished" else f"not run: {run.ended}"


def result(
    package: Package,
    side: Side,
    environment: Environment,
    limit: float,
    *,
    expected: Set[str] = frozenset(),
    fresh: bool = False,
) -> Run:
    """Run the tests, or take the result of an earlier run of the same tests against the same source.

    Args:
        expected: Tests that pass with FastAPI. Where only a few of them fail, those are run a second time, so that a
            failure by load does not count.
    """
    kept = environment.folder / "result.json"
    key = _key(package, side)
    if kept.exists() and not fresh:
        earlier = json.loads(kept.read_text("utf-8"))
        if earlier.pop("key") == key:
            return Run(**earlier)
    ran = run(package, environment, limit)
    short = sorted((expected - ran.passed) & ran.outcomes.keys())
    if 0 < len(short) <= RETRIED and not package.imports:
        again = run(package, environment, limit, only=short)
        ran = replace(ran, outcomes={**ran.outcomes, **dict.fromkeys(again.passed & expected, "passed")})
    kept.write_text(json.dumps({"key": key, **vars(ran)}), "utf-8")
    return ran


def _key(package: Package, side: Side) -> list[str]:
    """What a result depends on: environment, harness, the package's entry, and on one side slipstream's source."""
    how = {key: value for key, value in asdict(package).items() if key not in ("short", "note")}
    here = tree(Path(__file__).parent)
    return [stamp(package), here, json.dumps(how), tree(ROOT / "src") if side == "slipstream" else ""]


def run(package: Package, environment: Environment, limit: float, *, only: Sequence[str] = ()) -> Run:
    """Run pytest in the package's source folder, for at most `limit` seconds."""
    lines = environment.folder / "outcomes.jsonl"
    lines.unlink(missing_ok=True)
    tests = [str(INSIDE / "ecosystem_imports.py")] if package.imports else list(only or package.tests)
    usage = USAGE / f"use_{package.name.replace('-', '_')}.py"
    if package.imports and usage.exists():
        tests.append(str(usage))
    command = [
        str(environment.python), "-m", "pytest", "-q", "-p", "ecosystem_outcomes", "-p", "no:cacheprovider",
        "--rootdir", str(environment.source), "-o", "addopts=", "--timeout", "60",
        "--continue-on-collection-errors", *package.arguments,
        *(f"--deselect={test}" for test in package.deselected),
        *(f"--ignore={path}" for path in package.ignored), *tests,
    ]  # fmt: skip
    if package.imports:
        command += ["--noconftest", "-c", os.devnull]
    began = time.monotonic()
    with (environment.folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, cwd=environment.source, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env=_variables(package, environment, lines),
        )  # fmt: skip
        try:
            code = process.wait(limit)
            ended = "finished" if code in (0, 1, 2, 5) else f"pytest ended with code {code}"
        except subprocess.TimeoutExpired:
            ended = f"stopped after {limit:.0f} s"
        finally:
            _end(process)
    outcomes, causes = _read(lines)
    if not outcomes and ended.startswith("pytest"):
        ended += f": {_last_line(environment.folder / 'log.txt')}"
    return Run(outcomes, causes, ended, round(time.monotonic() - began, 1))


def tree(folder: Path) -> str:
    """Digest of the Python files below a folder, without those that test them."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*.py") if not file.name.startswith("test_")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _variables(package: Package, environment: Environment, lines: Path) -> dict[str, str]:
    """This process's environment, as it is in a shell where the package's environment is active."""
    ours = ("PYTHON", "PYTEST_", "SLIPSTREAM_", "COV_", "VIRTUAL_ENV")
    venv = environment.folder / "venv"
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(ours)},
        "VIRTUAL_ENV": str(venv),
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONHASHSEED": "0",  # ids made from sets are the same in both runs
        "ECOSYSTEM_OUTCOMES": str(lines),
        "ECOSYSTEM_IMPORTS": " ".join([package.name, *package.imports]),
        **package.environment,
    }


def _last_line(log: Path) -> str:
    """What pytest said when it gave up, as for an error in a `conftest.py`."""
    lines = log.read_text("utf-8", "replace").split("\n")
    return next((line.removeprefix("E").strip() for line in reversed(lines) if "rror" in line), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what the tests have left running: all of it is in the process's own group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def _read(lines: Path) -> tuple[dict[str, str], dict[str, str]]:
    outcomes: dict[str, str] = {}
    causes: dict[str, str] = {}
    for text in lines.read_text("utf-8").splitlines() if lines.exists() else ():
        line = json.loads(text)
        test = line["test"]
        outcomes[test] = max(outcomes.get(test, "passed"), line["outcome"], key=WORST_LAST.index)
        if line["why"]:
            causes.setdefault(test, line["why"])
    return outcomes, causes
