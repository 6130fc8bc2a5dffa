"""`slipstream explain`: what the command hands to `slipstream.explain`, and what it does with the answer."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from slipstream.cli.program import program

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, write: Write, tmp_path: Path) -> None:
    """Explain in a way that is easy to check; the real one has tests of its own."""

    def explain(app: Any, operation: str | None) -> str:
        if operation == "GET /unknown":
            raise LookupError("there is no operation GET /unknown\n  there are: GET /items")
        return f"{app.title}: {operation}"

    def dump(app: Any, folder: Path) -> None:
        (folder / "source.py").write_text(app.title)

    module = ModuleType("slipstream.explain")
    vars(module).update(explain=explain, dump=dump)
    monkeypatch.setitem(sys.modules, "slipstream.explain", module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    write("explained.py", "class App:\n    title = 'Shop'\n    def __call__(self, *_): ...\napp = App()\n")


@pytest.mark.parametrize(("operation", "said"), [(["GET /items"], "Shop: GET /items\n"), ([], "Shop: None\n")])
def test_an_operation_or_the_whole_application_is_explained(operation: list[str], said: str) -> None:
    """Without an operation the reader learns which there are."""
    answer = CliRunner().invoke(program, ["explain", "explained:app", *operation])

    assert (answer.exit_code, answer.output) == (0, said)


def test_an_unknown_operation_exits_with_2() -> None:
    """A typing error, told with what there is."""
    answer = CliRunner().invoke(program, ["explain", "explained:app", "GET /unknown"])

    assert answer.exit_code == 2
    assert answer.output == "slipstream: there is no operation GET /unknown\n  there are: GET /items\n"


def test_all_sources_are_written_to_a_folder(tmp_path: Path) -> None:
    """The folder is made when it is not there."""
    answer = CliRunner().invoke(program, ["explain", "explained:app", "--dump", "generated/code"])

    assert answer.exit_code == 0
    assert (tmp_path / "generated/code/source.py").read_text() == "Shop"
