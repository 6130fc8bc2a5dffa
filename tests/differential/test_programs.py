"""Whole applications, and the list of what may differ; `make differential` draws as many as you like."""

import re
from pathlib import Path

from hypothesis import given

from . import __main__ as search
from .differences import DECLARED
from .harness import END_OF_PREAMBLE, Sent, load
from .programs import WORLD, Program, check, programs
from .strategies import examples

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"


@examples(25)
@given(programs(12))
def test_whole_applications_answer_as_under_fastapi(program: Program) -> None:
    """Where rooms meet, each may be right by itself and the whole wrong."""
    check(program)


def test_the_page_names_every_difference_that_is_forgiven() -> None:
    """Whoever moves to slipstream reads the page; a difference that is only forgiven here would be a secret."""
    names = [difference.name for difference in DECLARED]
    section = PAGE.read_text(encoding="utf-8").partition("## What the differential tests forgive\n")[2]

    assert re.findall(r"^\| `([a-z0-9-]+)` \|", section.partition("\n## ")[0], flags=re.MULTILINE) == names
    assert len(set(names)) == len(names)


def test_a_difference_is_made_short_and_runs_by_itself() -> None:
    """A program of hundreds of lines tells nobody what is wrong; a wrong framework shows what becomes of it."""
    source = (
        "app = FastAPI(title='T')\n"
        "@app.get('/a', tags=['x'])\ndef a(): return 1\n"
        "@app.get('/b', tags=['y'])\ndef b(*, q: int = 0, r: int = 1): return [q, FastAPI.__module__]\n"
        "said = tuple(refused)\n"
    )
    sent = tuple((Sent(path=path), None) for path in ("/a", "/b"))
    program = Program(source, sent)
    told = search.difference(program)

    assert told is not None
    short = search.shorter(program, search.kind_of(told))
    text = search.report(short, told)

    assert short.sent == sent[1:]
    assert "def a" not in short.source
    assert "tags" not in short.source
    assert "r: int" not in short.source
    assert "FastAPI.__module__" in short.source
    assert END_OF_PREAMBLE in text
    assert load(text.partition("\n# Run it")[0], "slipstream").error is None
    assert text.startswith("# --- Sent(")
    assert WORLD in text
