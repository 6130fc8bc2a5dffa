"""`python -m slipstream.compat`: a program runs under the alias, and so do the processes that it starts."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slipstream.compat import FASTAPI_VERSION, alias, tell_children
from slipstream.compat.alias import STANDIN
from tests.compat.environments import Environment

Write = Callable[[str, str], Path]


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter in a folder."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


PROGRAM = """
    import sys, pickle, json
    import beside

    class Kept: ...

    def here():
        pass

    import __main__
    print(json.dumps({
        "file": __file__, "code": here.__code__.co_filename, "argv": sys.argv, "path": sys.path[0],
        "name": __name__, "main": vars(__main__) is globals(), "spec": str(__spec__ and __spec__.name),
        "package": __package__, "cached": __cached__,
        "modules": sorted(sys.modules), "options": sys._xoptions,
        "loader": type(__loader__).__name__, "doc": __doc__,
        "builtins": str(__builtins__), "own": type(pickle.loads(pickle.dumps(Kept()))) is Kept,
    }))
    sys.stderr.write(beside.found)
    sys.exit(7)
"""


@pytest.mark.parametrize(
    "how",
    [["program.py"], ["./program.py"], ["deep/../program.py"], ["linked/link.py"], ["-m", "program"], ["folder"]],
    ids=lambda how: " ".join(how),
)
def test_a_program_sees_what_it_sees_without_the_alias(tmp_path: Path, write: Write, how: list[str]) -> None:
    """Programs find their data beside `__file__`, read `sys.argv`, and count on what is not imported yet."""
    for folder in ("", "folder/"):
        write(f"{folder}beside.py", "from importlib.util import find_spec as find; found = find('fastapi').origin")
    program = write("program.py", PROGRAM)
    write("folder/__main__.py", PROGRAM)
    write("linked/nothing", "")
    (tmp_path / "deep").mkdir()
    (tmp_path / "linked" / "link.py").symlink_to(program)

    theirs = run(tmp_path, "-X", "own=1", *how, "--an", "argument")
    ours = run(tmp_path, "-X", "own=1", "-m", "slipstream.compat", *how, "--an", "argument")

    assert json.loads(ours.stdout) == json.loads(theirs.stdout)
    assert ours.stderr == str(Path(STANDIN, "fastapi", "__init__.py")) != theirs.stderr
    assert ours.returncode == 7


def test_processes_that_a_program_starts_have_the_alias(tmp_path: Path, write: Write) -> None:
    """Some by command, some by `multiprocessing`; whoever asks for the version is answered before any import."""
    write("program.py", """
        import multiprocessing, subprocess, sys
        from concurrent.futures import ProcessPoolExecutor

        def name():
            import fastapi.exceptions
            assert fastapi is sys.modules["slipstream"]
            return fastapi.exceptions.__name__

        if __name__ == "__main__":
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                print(pool.submit(name).result())
            ask = "import importlib.metadata as m; print(m.version('fastapi')); import fastapi; print(fastapi.__name__)"
            print(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout)
    """)  # fmt: skip

    answer = run(tmp_path, "-m", "slipstream.compat", "program.py")

    assert answer.stdout.split() == ["fastapi.exceptions", FASTAPI_VERSION, "fastapi"], answer.stderr


def test_test_workers_have_the_alias(tmp_path: Path, write: Write) -> None:
    """`pytest -n` starts its workers itself."""
    write("test_program.py", """
        import os
        import sys
        import fastapi

        def test_program():
            assert fastapi is sys.modules["slipstream"]
            assert os.environ["PYTEST_XDIST_WORKER"] == "gw0"
    """)  # fmt: skip

    answer = run(
        tmp_path, "-m", "slipstream.compat", "-m", "pytest", "-q", "-p", "xdist.plugin", "-n1",
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )  # fmt: skip

    assert answer.stdout.splitlines()[-1].startswith("1 passed"), answer.stdout


def test_another_environment_that_inherits_the_variables_has_its_own_fastapi(environment: Environment) -> None:
    """A program may start tools that are installed elsewhere, without slipstream."""
    (environment.packages / "linked.pth").unlink()
    asked = [str(environment.folder / "bin" / "python"), "-c", "import fastapi; print(fastapi.__file__)"]

    without = subprocess.run(asked, env={"PYTHONPATH": STANDIN}, capture_output=True, text=True, check=False)
    (environment.packages / "fastapi.py").touch()
    with_one = subprocess.run(asked, env={"PYTHONPATH": STANDIN}, capture_output=True, text=True, check=False)

    assert without.stderr.rstrip().endswith("ModuleNotFoundError: No module named 'fastapi'")
    assert with_one.stdout.rstrip() == str(environment.packages / "fastapi.py"), with_one.stderr


def test_a_path_that_was_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """$PYTHONPATH is the user's; saying it twice changes nothing."""
    monkeypatch.setenv("PYTHONPATH", "theirs")
    monkeypatch.setattr(sys, "path", ["program", "library"])

    tell_children()
    tell_children()

    assert os.environ["PYTHONPATH"] == os.pathsep.join([STANDIN, "theirs"])
    assert sys.path == ["program", STANDIN, "library"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "usage: python -m slipstream.compat (SCRIPT | -m MODULE | -c CODE)"),
        (["-m"], 2, "usage:"),
        (["--help"], 0, "usage:"),
        (["-x", "y"], 2, "usage:"),
        (["no_such_file.py"], 2, "can't open file"),
    ],
)
def test_a_wrong_call_says_how_to_call(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """The exit code is that of any wrong call."""
    answer = run(tmp_path, "-m", "slipstream.compat", *arguments)

    assert answer.returncode == code
    assert said in answer.stdout + answer.stderr


def test_an_interpreter_that_ignores_variables_is_an_error_with_advice(tmp_path: Path) -> None:
    """The program would run with the real fastapi, or without any."""
    answer = run(tmp_path, "-I", "-m", "slipstream.compat", "-c", "import fastapi")

    assert answer.returncode == 2
    assert "turn the alias on for this environment: slipstream alias on" in answer.stderr


def test_a_call_from_a_program_returns_where_processes_cannot_be_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On Windows `exec` would let the caller go on before the program ends."""
    monkeypatch.setenv("PYTHONPATH", "theirs")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(alias.os, "name", "nt")

    assert alias.main(["-c", "import sys, fastapi; sys.exit(fastapi.__name__ == 'fastapi' and 7)"]) == 7
