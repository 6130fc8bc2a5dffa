"""`slipstream alias on|off|status`, in environments of its own."""

import os
import sys
from pathlib import Path

from slipstream.compat import FASTAPI_VERSION
from tests.compat.environments import Environment

NAME = "import fastapi; print(fastapi.__name__)"


def put_real(environment: Environment, version: str = "0.120.0") -> None:
    """Install something that goes for the real fastapi."""
    (environment.packages / "fastapi").mkdir()
    (environment.packages / "fastapi" / "__init__.py").touch()
    info = environment.packages / f"fastapi-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fastapi\nVersion: {version}\n")
    (info / "INSTALLER").write_text("pip\n")
    (info / "RECORD").write_text(f"fastapi/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")


def test_every_program_of_the_environment_has_the_alias(aliased: Environment) -> None:
    """No program is changed for it, nor how it is started."""
    assert aliased.says(NAME) == "fastapi"
    assert aliased.says("from fastapi.routing import APIRoute; print(APIRoute.__module__)") == "fastapi.routing"
    assert aliased.says("import slipstream.params as ours, fastapi.params as theirs; print(ours is theirs)") == "True"


def test_an_interpreter_that_imports_no_fastapi_pays_nothing(aliased: Environment) -> None:
    """pip, linters and scripts start in the same environment."""
    loaded = aliased.says("import sys; print(*(name for name in sys.modules if 'slipstream' in name))")

    assert loaded == ""


def test_spawned_processes_have_the_alias(aliased: Environment, tmp_path: Path) -> None:
    """`multiprocessing` starts other interpreters; no variable tells them."""
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing as m, os\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "def name():\n"
        "    import fastapi; return fastapi.__name__, 'PYTHONPATH' in os.environ\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(1, mp_context=m.get_context('spawn')) as pool:\n"
        "        print(*pool.submit(name).result())\n"
    )  # fmt: skip

    answer = aliased.run(str(program))

    assert answer.stdout == "fastapi False\n", answer.stderr


def test_pip_finds_fastapi_installed(aliased: Environment) -> None:
    """Packages that require it can be installed, and `pip check` has no complaint of them."""
    info = aliased.packages / "dependent-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: dependent\nVersion: 1\n"
        f"Requires-Dist: fastapi[all,opentelemetry,standard,standard-no-fastapi-cloud-cli]<={FASTAPI_VERSION},>=0.100\n"
    )  # fmt: skip

    checked = aliased.run("-m", "pip", "check", "--disable-pip-version-check")
    installed = aliased.run(
        "-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check", "fastapi>=0.100"
    )

    assert checked.stdout == "No broken requirements found.\n"
    assert "Requirement already satisfied: fastapi>=0.100" in installed.stdout, installed.stderr
    assert aliased.says("import importlib.metadata as m; print(m.version('fastapi'))") == FASTAPI_VERSION


def test_the_extras_are_those_of_the_real_one(aliased: Environment) -> None:
    """`fastapi[standard]` in somebody's requirements brings what it brings."""
    ask = "from importlib.metadata import metadata; print(*sorted(metadata('fastapi').get_all('Provides-Extra')))"
    theirs = Environment(Path(sys.prefix)).says(ask)

    assert aliased.says(ask) == theirs


def test_off_leaves_nothing_behind(environment: Environment) -> None:
    """Trying the alias costs nothing."""
    before = environment.files()

    on = environment.alias("on")
    between = environment.files()
    again = environment.alias("on")
    off = environment.alias("off")

    assert on == again
    assert f"pip and importlib.metadata: fastapi {FASTAPI_VERSION}\n" in on
    assert off == f"alias off in {environment.folder}\nimport fastapi: an error, nothing of that name is installed\n"
    assert between > before
    assert environment.files() == before


def test_pip_can_uninstall_it(environment: Environment) -> None:
    """So does a `pip install` of a real fastapi, before it puts its own files there."""
    before = environment.files()
    environment.alias("on")

    environment.run("-m", "pip", "uninstall", "-y", "fastapi")

    assert environment.files() - before == {environment.packages / "slipstream_alias"}
    assert environment.alias("status").startswith("alias off")


def test_a_real_fastapi_is_hidden_and_stays_as_it_is(environment: Environment) -> None:
    """Who wins is said; pip goes on to know what it has installed."""
    put_real(environment)
    before = environment.files()
    real = f"fastapi 0.120.0, installed in {environment.packages / 'fastapi'}"
    assert f"import fastapi: {real}\n" in environment.alias("status")

    on = environment.alias("on")
    name = environment.says(NAME)
    version = environment.says("import fastapi, importlib.metadata as m; print(m.version('fastapi'))")
    environment.alias("off")

    assert f"hidden by the alias: {real}\n" in on
    assert "pip uninstall fastapi, then slipstream alias on" in on
    assert name == "fastapi"
    assert version == FASTAPI_VERSION
    assert environment.files() == before
    assert environment.says(NAME) == "fastapi"


def test_status_says_that_metadata_went_with_the_real_fastapi(environment: Environment) -> None:
    """pip removes them when it uninstalls; a second `on` writes ours."""
    put_real(environment)
    environment.alias("on")
    environment.run("-m", "pip", "uninstall", "-y", "fastapi")

    status = environment.alias("status")

    assert "pip and importlib.metadata: no fastapi\n  to have them see one: slipstream alias on" in status
    assert f"pip and importlib.metadata: fastapi {FASTAPI_VERSION}" in environment.alias("on")


def test_an_environment_that_cannot_be_written_to_is_an_error_with_advice(environment: Environment) -> None:
    """A system's Python is not for the user to write to; here a file is in the way, which stops root as well."""
    (environment.packages / "slipstream_alias").touch()

    answer = environment.run("-m", "slipstream", "alias", "on")

    assert answer.returncode == 2
    assert "slipstream: cannot write to this environment: " in answer.stderr
    assert answer.stderr.endswith("\n  make one that is yours: python -m venv .venv\n")


def test_the_command_is_fastapi_clis(environment: Environment) -> None:
    """Images are started by `fastapi run`; without fastapi-cli there is a word on what to install."""
    environment.alias("on")
    command = environment.folder / "bin" / "fastapi"
    assert os.access(command, os.X_OK)
    (environment.folder.parent / "linked" / "fastapi_cli").unlink()

    missing = environment.run(str(command), "run")

    assert missing.returncode == 2
    assert missing.stderr == 'fastapi: the command line needs fastapi_cli: pip install "fastapi-cli[standard]"\n'
