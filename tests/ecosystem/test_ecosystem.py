"""The harness of `make ecosystem`, on a small package made up here; no index is asked."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ecosystem import environments, page, runs
from tests.ecosystem.__main__ import LIST
from tests.ecosystem.environments import Environment, Side
from tests.ecosystem.packages import Package, read

TOY = Package("toy", "1.0", tests=("tests",), short="it asks for a name of FastAPI's alone")
MODULE = """
import fastapi

def framework():
    return fastapi.__spec__.name
"""
TESTS = """
import subprocess
import sys
from importlib.metadata import version
from uuid import uuid4

import pytest
import toy

PRINT = "import fastapi; print(fastapi.__spec__.name)"

def test_version_is_the_one_of_fastapi():
    assert version("fastapi") == "0.165.0"

def test_framework_is_fastapi_itself():
    assert toy.framework() == "fastapi"

def test_the_same_holds_in_a_child():
    child = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == toy.framework()

@pytest.mark.parametrize("token", [uuid4().hex])
def test_whose_id_is_another_in_every_run(token):
    assert len(token) == 32

def test_fails_everywhere():
    raise ValueError("always")

@pytest.mark.skip(reason="not here")
def test_skipped():
    pass
"""


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Side, str], Environment]:
    """Make an environment of one side out of the packages of this one, with a test file in its source."""

    def build(side: Side, tests: str) -> Environment:
        environment = Environment(tmp_path_factory.mktemp(side))
        (environment.source / "tests").mkdir(parents=True)
        (environment.source / "pytest.ini").touch()
        (environment.source / "toy.py").write_text(MODULE)
        (environment.source / "tests" / "test_toy.py").write_text(tests)
        venv = environment.folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        shared = f"{sysconfig.get_paths()['purelib']}\n{environments.ROOT / 'src'}\n{environment.source}\n"
        (environment.packages / "shared.pth").write_text(shared)
        environments.arm(environment.packages, side)
        return environment

    return build


@pytest.fixture(scope="module")
def both(make: Callable[[Side, str], Environment]) -> dict[Side, runs.Run]:
    """What becomes of the toy's tests on either side."""
    return {side: runs.run(TOY, make(side, TESTS), 60) for side in environments.SIDES}


def test_only_what_passes_with_fastapi_is_expected(both: dict[Side, runs.Run]) -> None:
    """A test that fails anyway says nothing of slipstream; one that fails here alone must not be lost."""
    compared = runs.compare(both["fastapi"], both["slipstream"])
    assert {test.partition("::")[2].partition("[")[0] for test in compared.expected} == {
        "test_version_is_the_one_of_fastapi", "test_framework_is_fastapi_itself", "test_the_same_holds_in_a_child",
        "test_whose_id_is_another_in_every_run",
    }  # fmt: skip
    assert [test.partition("::")[2] for test in compared.expected - compared.passed] == [
        "test_framework_is_fastapi_itself"
    ]
    ((why, tests),) = compared.grouped()
    assert "AssertionError: assert 'slipstream' == 'fastapi'" in why
    assert tests == ["tests/test_toy.py::test_framework_is_fastapi_itself"]


def test_file_that_cannot_be_collected_is_the_cause_of_all_its_tests(
    make: Callable[[Side, str], Environment], both: dict[Side, runs.Run]
) -> None:
    """A missing name at a file's head costs all its tests: the report must name it once, with their number."""
    broken = runs.run(TOY, make("slipstream", "from fastapi.routing import no_such_name\n" + TESTS), 60)
    compared = runs.compare(both["fastapi"], broken)
    assert compared.passed == set()
    ((why, tests),) = compared.grouped()
    assert "cannot import name 'no_such_name'" in why
    assert len(tests) == 4


ATTEMPTS = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for attempt in range(2):
        item.funcargs, item.user_properties = {}, [("attempt", attempt)]
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        has_failed = any(report.failed for report in reports)
        for report in reports:
            if report.failed and attempt == 0:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if not has_failed:
            break
    return True
"""


def test_attempt_that_is_repeated_does_not_count(make: Callable[[Side, str], Environment]) -> None:
    """Packages run flaky tests again, as pytest-rerunfailures does: a test is what its last attempt was."""
    tests = (
        "tried = []\ndef test_second_time():\n    tried.append(1)\n    assert tried[1:]\ndef test_never(): assert 0\n"
    )
    environment = make("fastapi", tests)
    (environment.source / "tests" / "conftest.py").write_text(ATTEMPTS)
    ran = runs.run(TOY, environment, 60)
    assert {test.partition("::")[2]: outcome for test, outcome in ran.outcomes.items()} == {
        "test_second_time": "passed",
        "test_never": "failed",
    }


def test_run_that_is_cut_short_keeps_what_it_had_and_says_so(make: Callable[[Side, str], Environment]) -> None:
    """A crash or a hanging test must not take the results of those before it, nor pass for a complete run."""
    crash = (
        "def test_first(): pass\ndef test_crash():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = make("fastapi", crash)
    crashed = runs.run(TOY, environment, 60)
    assert crashed.ended == "pytest ended with code -9"
    assert crashed.outcomes == {"tests/test_toy.py::test_first": "passed"}
    assert runs.run(TOY, environment, 0).ended == "stopped after 0 s"


def test_result_is_kept_until_the_source_or_the_way_to_run_changes(
    make: Callable[[Side, str], Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second `make ecosystem` costs seconds, and never shows the figures of another source."""
    environment = make("slipstream", "def test_passes(): pass\n")
    source = ["a"]
    monkeypatch.setattr(runs, "tree", lambda folder: source[0])
    counted: list[Package] = []
    real = runs.run
    monkeypatch.setattr(
        runs, "run", lambda package, *args, **named: counted.append(package) or real(package, *args, **named)
    )
    first = runs.result(TOY, "slipstream", environment, 60)
    assert runs.result(TOY, "slipstream", environment, 60) == first
    assert len(counted) == 1
    source[0] = "b"
    runs.result(TOY, "slipstream", environment, 60)
    runs.result(Package("toy", "1.0", tests=("tests",), arguments=("-x",)), "slipstream", environment, 60)
    assert len(counted) == 3


def test_table_keeps_the_rows_of_packages_that_were_not_run(tmp_path: Path, both: dict[Side, runs.Run]) -> None:
    """`make ecosystem ARGS="-k toy"` brings one line up to date; the text around the table belongs to people."""
    other, gone = Package("other", "2", tests=("t",)), Package("gone", "3", tests=("t",))
    file = tmp_path / "ecosystem.md"
    file.write_text(f"# Above\n\n{page.BEGIN}\n{page.END}\n\nBelow\n")
    page.update(
        file,
        [other, gone],
        {
            "other": page.failed_row(other, f"a | b at https://host/x in {environments.ROOT}/y"),
            "gone": page.failed_row(gone, "old"),
        },
    )
    line = page.row(TOY, both["fastapi"], both["slipstream"], runs.compare(both["fastapi"], both["slipstream"]))
    page.update(file, [TOY, other], {"toy": line})
    assert file.read_text().splitlines() == [
        "# Above", "", page.BEGIN, "", *page.HEAD,
        "| toy | 1.0 | 4 | 3 | it asks for a name of FastAPI's alone; 1 fail with FastAPI too |",
        "| other | 2 | – | – | a \\| b at the index in y |",
        "", page.END, "", "Below",
    ]  # fmt: skip


def test_list_of_packages_reads_and_names_each_once() -> None:
    """A slip in the list is found here, not after half an hour of other packages."""
    packages = read(LIST)
    assert len({package.name for package in packages}) == len(packages) > 0
    with pytest.raises(ValueError, match="either tests or imports"):
        Package("neither", "1.0")
