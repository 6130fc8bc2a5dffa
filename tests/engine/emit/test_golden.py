"""The generated source of each kind of endpoint, compared with what a reviewer has read.

A case is a small application in `cases/`; its last route is the endpoint in question, or its `handler`. What is
generated for it stands in `tests/golden/` under the same name. After a change of what is generated,
write the files anew with `pytest tests/engine/emit/test_golden.py --update-golden`, and read the diff.
"""

import ast
import builtins
import dis
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from slipstream._engine.compile import Compiled, compile_plan
from slipstream._routes.services import SERVICES

CASES = sorted(path.stem for path in (Path(__file__).parent / "cases").glob("*.py"))
GOLDEN = Path(__file__).parents[2] / "golden"


def compiled(case: str) -> Compiled:
    """Load a case, and compile its endpoint."""
    path = Path(__file__).parent / "cases" / f"{case}.py"
    spec = importlib.util.spec_from_file_location(f"golden_{case}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where `inspect` looks for classes
    spec.loader.exec_module(module)
    if hasattr(module, "handler"):
        return module.handler.compiled  # type: ignore[no-any-return]
    route: Any = module.app.routes[-1]
    routes = route.effective_routes() if hasattr(route, "effective_routes") else [route]
    if case.startswith("direct_door_"):
        return compile_plan(routes[-1].plan, SERVICES, "direct")
    return routes[-1].compiled  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES)
def test_generated_source_is_what_was_reviewed(case: str, request: pytest.FixtureRequest) -> None:
    """Whoever changes the emitter sees, endpoint by endpoint, what users' requests will do."""
    found = compiled(case)
    written = f"# {found.filename}\n\n{found.source.text}"
    golden = GOLDEN / f"{case}.py"
    if request.config.getoption("--update-golden"):
        golden.write_text(written, encoding="utf-8")

    assert written == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_every_name_in_generated_source_is_bound(case: str) -> None:
    """A name that nothing binds would be a NameError on some rare path; a constant that nothing reads is clutter."""
    source = compiled(case).source

    names = set(global_names(compile(source.text, "<case>", "exec"))) - {source.function}
    assert names - set(dir(builtins)) == set(source.constants)


@pytest.mark.parametrize("case", CASES)
def test_generated_source_assigns_nothing_in_vain(case: str) -> None:
    """A variable that is written and never read makes a reader look for its purpose."""
    tree = ast.parse(compiled(case).source.text)

    stored, loaded = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (stored if isinstance(node.ctx, ast.Store) else loaded).add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name is not None:
            stored.add(node.name)
    assert stored - loaded <= {"_"}


@pytest.mark.parametrize("case", CASES)
def test_what_a_worker_assigns_is_its_own_or_shared_by_name(case: str) -> None:
    """A name that is assigned in both functions, and read in one before it is assigned there, would be unbound."""
    for inner in ast.walk(ast.parse(compiled(case).source.text)):
        if not isinstance(inner, ast.FunctionDef):
            continue
        names = [node for node in ast.walk(inner) if isinstance(node, ast.Name)]
        shared = {name for node in inner.body if isinstance(node, ast.Nonlocal) for name in node.names}
        own = {node.id for node in names if isinstance(node.ctx, ast.Store)} - shared
        assert not own & {"errors", "exits", "closing", "body", "raw", "item"}


@pytest.mark.parametrize("case", CASES)
def test_generated_lines_fit_a_screen(case: str) -> None:
    """The project's own limit: tracebacks and dumps are read beside it."""
    assert [line for line in compiled(case).source.text.splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("case", CASES)
def test_places_in_generated_source_are_the_case_s_own(case: str) -> None:
    """The line of a function of ours would change the file whenever somebody edits above it."""
    places = re.findall(r"# .* \((\w+)\.py:\d+\)", compiled(case).source.text)

    assert set(places) <= {case}


def test_no_golden_file_is_left_over() -> None:
    """A file that no case makes would never be checked again."""
    assert sorted(path.stem for path in GOLDEN.glob("*.py")) == CASES


def global_names(code: CodeType) -> Iterator[str]:
    """List the global names that a code object, or one inside it, reads."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL" or instruction.opname == "LOAD_NAME":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from global_names(constant)
