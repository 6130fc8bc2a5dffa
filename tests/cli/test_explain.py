"""`slipstream explain`: what the command asks `slipstream.explain`, and what it does with the answer."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from slipstream.cli.program import program

Write = Callable[[str, str], Path]

PROGRAM = """
from slipstream import FastAPI

app = FastAPI(openapi_url=None)

@app.get("/items/{item_id}")
async def read_item(item_id: int) -> int:
    return item_id
"""


@pytest.fixture(autouse=True)
def program_to_explain(monkeypatch: pytest.MonkeyPatch, write: Write, tmp_path: Path) -> None:
    """Put a program into the working directory."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    write("explained.py", PROGRAM)


def test_without_an_operation_the_application_is_listed() -> None:
    """The reader learns which operations there are."""
    answer = CliRunner().invoke(program, ["explain", "explained:app"])

    assert answer.exit_code == 0
    assert answer.output.split() == ["GET", "/items/{item_id}", "async", "read_item", "(explained.py:6)"]


def test_an_operation_is_explained() -> None:
    """Plan and source, as `slipstream.explain` tells them."""
    answer = CliRunner().invoke(program, ["explain", "explained:app", "GET /items/3"])

    assert answer.exit_code == 0
    assert answer.output.startswith("GET /items/{item_id}\n")
    assert "async def handle(scope, receive, send):\n" in answer.output


def test_an_unknown_operation_exits_with_2() -> None:
    """A typing error, told with what there is."""
    answer = CliRunner().invoke(program, ["explain", "explained:app", "POST /items/{item_id}"])

    assert answer.exit_code == 2
    assert answer.output == (
        "slipstream: there is no operation POST /items/{item_id}\n  there is: GET /items/{item_id}\n"
    )


def test_all_sources_are_written_to_a_folder(tmp_path: Path) -> None:
    """The folder is made when it is not there."""
    answer = CliRunner().invoke(program, ["explain", "explained:app", "--dump", "generated/code"])

    assert answer.exit_code == 0
    assert answer.output == "wrote 1 generated source and INDEX.txt to generated/code\n"
    assert "async def handle" in (tmp_path / "generated/code/get_items_item_id.py").read_text()
