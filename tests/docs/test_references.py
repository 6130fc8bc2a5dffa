"""What the documents say about the code is there: files, and names within them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "slipstream"
PAGES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_NAMED = re.compile(r"`([\w./]+\.py)(?:: (\w+(?:\.\w+)*)[^`]*)?`")


def references(text: str) -> list[tuple[str, str | None]]:
    """List the files that a page names in code font, each with the name behind the colon."""
    return [(file, name) for file, name in _NAMED.findall(text)]


def found(file: str) -> Path | None:
    """Return where a file is that a page names: below the package, the engine, or the project."""
    places = (PACKAGE / file, PACKAGE / "_engine" / file, ROOT / file)
    return next((place for place in places if place.is_file()), None)


def names(body: list[ast.stmt], prefix: str = "") -> set[str]:
    """List what a module or class defines: classes, functions, `Class.method`, and assigned names."""
    defined: set[str] = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.add(prefix + node.name)
        if isinstance(node, ast.ClassDef):
            defined |= names(node.body, f"{prefix}{node.name}.")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        defined.update(prefix + target.id for target in targets if isinstance(target, ast.Name))
    return defined


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_files_and_functions_that_are_there(page: Path) -> None:
    """A reader who follows a page finds what it names; a rename without the page fails here."""
    missing = []
    for file, name in references(page.read_text()):
        place = found(file)
        if place is None:
            missing.append(file)
        elif name and name not in names(ast.parse(place.read_text()).body):
            missing.append(f"{file}: {name}")

    assert missing == []


def test_references_are_found_at_all() -> None:
    """The pages that lead through the code name dozens of places; a pattern that matches nothing would pass above."""
    for page in ("the-way.md", "the-way-of-a-message.md"):
        assert len(references((ROOT / "docs" / page).read_text())) > 20
