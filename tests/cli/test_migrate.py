"""`slipstream migrate`, on folders."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from slipstream.cli.program import program

Write = Callable[[str, str], Path]


def migrate(*arguments: str, code: int = 0) -> str:
    answer = CliRunner().invoke(program, ["migrate", *arguments])
    assert answer.exit_code == code, answer.output
    return answer.output


@pytest.fixture
def folder(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with a test, settings, and things that are nobody's to change."""
    pytest.importorskip("libcst")
    write("app/main.py", "from fastapi import FastAPI\n\napp = FastAPI()\n")
    write("tests/test_main.py", "import fastapi\nfrom unittest import mock\nmock.patch('fastapi.routing')\nfastapi.x\n")
    write("requirements.txt", "fastapi[standard]>=0.110\nfastapi-users\nhttpx\n")
    write("Dockerfile", 'CMD ["fastapi", "run"]\n')
    for other in (".venv/x.py", "env/pyvenv.cfg", "env/x.py", "lib/site-packages/x.py", "nothing.py", "notes.md"):
        write(other, "import fastapi\n" if "x.py" in other else "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dry_run_shows_the_diff_and_writes_nothing(folder: Path) -> None:
    """One looks before one leaps."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    said = migrate(".", "--dry-run")

    assert "--- app/main.py\n+++ app/main.py\n@@ -1,3 +1,3 @@\n-from fastapi import FastAPI\n+from slipstream" in said
    assert said.endswith("would change 2 files: 2 imports, 1 use of what they bind\n")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_files_are_changed_and_what_is_left_is_listed(folder: Path) -> None:
    """What a person has to look at comes with its line."""
    said = migrate(".")

    assert said == (
        "for you to look at:\n"
        '  Dockerfile:1: CMD ["fastapi", "run"]\n'
        "  requirements.txt:1: fastapi[standard]>=0.110\n"
        "  tests/test_main.py:3: a string that is left as it is: 'fastapi.routing'\n"
        "changed 2 files: 2 imports, 1 use of what they bind\n"
    )
    assert (folder / "app/main.py").read_text() == "from slipstream import FastAPI\n\napp = FastAPI()\n"
    assert (folder / "tests/test_main.py").read_text().startswith("import slipstream\n")
    for other in (".venv", "env", "lib/site-packages"):
        assert (folder / other / "x.py").read_text() == "import fastapi\n"
    assert migrate(".").endswith("changed 0 files: 0 imports, 0 uses of what they bind\n")


def test_packages_that_import_fastapi_themselves_are_listed(
    folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their classes are the real ones, unless the alias is on. They are known by name, or by what they require."""
    write("lib/needy-1.dist-info/METADATA", "Name: needy\nVersion: 1\nRequires-Dist: fastapi>=0.1\n")
    write("lib/needy-1.dist-info/top_level.txt", "needy\n")
    monkeypatch.syspath_prepend(folder / "lib")
    write("fastapi_own/models.py", "import fastapi_own, fastapi_x.y, needy, nonebot\nfrom a.fastapi.b import c\n")

    said = migrate(".", "--dry-run")

    title = "these import fastapi themselves, so run the program under the alias:"
    assert f"{title}\n  a.fastapi.b\n  fastapi_x.y\n  needy\nwould change" in said


def test_one_file_can_be_named(folder: Path) -> None:
    """To go step by step."""
    assert migrate("app/main.py") == "changed 1 file: 1 import, 0 uses of what they bind\n"


@pytest.mark.parametrize(
    "source",
    [b"{{ x }", b"x = '\xff'", b"# coding: nonsense", b"x = '\0'"],
    ids=["template", "bytes", "encoding", "zero"],
)
def test_a_file_that_cannot_be_read_is_told_and_the_others_are_changed(folder: Path, source: bytes) -> None:
    """A template with the ending .py stops nobody; the exit code says that something was left."""
    (folder / "other.py").write_bytes(source + b"\nimport fastapi\n")

    said = migrate(".", code=1)

    assert "left as it is, since it cannot be read:\n  other.py: " in said
    assert said.endswith("changed 2 files: 2 imports, 1 use of what they bind\n")
    assert (folder / "other.py").read_bytes() == source + b"\nimport fastapi\n"


def test_settings_in_another_encoding_are_listed(folder: Path) -> None:
    """Nothing is written to them."""
    (folder / "setup.cfg").write_bytes("# Größe\ninstall_requires = fastapi\n".encode("latin-1"))

    assert "  setup.cfg:2: install_requires = fastapi\n" in migrate(".")


def test_a_path_that_is_not_there_is_a_wrong_call(folder: Path) -> None:
    """click's own words do."""
    assert "Path 'nowhere' does not exist" in migrate("nowhere", code=2)


def test_without_libcst_the_command_says_what_to_install(tmp_path: Path) -> None:
    """It is needed once in a program's life, and so an extra."""
    code = (
        "import sys; sys.modules['libcst'] = None; from slipstream.cli.program import program; "
        "program(['migrate', '.'], prog_name='slipstream')"
    )

    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert answer.returncode == 2
    assert answer.stderr == (
        'slipstream: `slipstream migrate` needs libcst: pip install "slipstream[migrate]"\n'
    )  # fmt: skip
