"""Where a callable was written: at once for functions, when somebody asks for classes."""

import ast
import functools
import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipstream import Depends, FastAPI
from slipstream._engine.signature.model import Origin
from slipstream._engine.signature.origin import origin_of
from slipstream.testclient import TestClient


def dependency() -> int:
    return 1


class Outer:
    class Inner:
        pass

    @dataclass(
        frozen=True,
    )
    class Decorated:
        value: int = 1


@dataclass(slots=True)
class Remade:
    value: int = 1


def local() -> type[Any]:
    try:
        raise KeyError
    except KeyError:

        class Local:
            pass

    return Local


class Callable_:
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("call", "name"),
    [(dependency, "dependency"), (functools.partial(dependency), "dependency"), (Outer.Inner, "Outer.Inner"),
     (Callable_(), "Callable_"), (Callable_().__call__, "Callable_.__call__")],
    ids=["function", "partial", "class", "object", "method"],
)  # fmt: skip
def test_a_callable_is_told_by_name_file_and_line(call: Any, name: str) -> None:
    """Errors and generated comments point there."""
    origin = origin_of(call)

    assert (origin.name, origin.file) == (name, __file__)
    assert str(origin) == f"{__file__}:{origin.line} in {name}"


def test_what_is_built_in_has_a_name_alone() -> None:
    """There is no line to point at."""
    assert origin_of(len) == Origin("len", None, None)
    assert str(origin_of(len)) == "len"


@pytest.mark.parametrize("cls", [Outer, Outer.Inner, Outer.Decorated, Remade, local(), Depends, FastAPI])
def test_the_place_of_a_class_is_that_of_inspect(cls: type[Any]) -> None:
    """With its decorators, as for functions, and wherever it stands: in a class, a function, a branch."""
    origin = origin_of(cls)

    assert (origin.file, origin.line) == (inspect.getsourcefile(cls), inspect.getsourcelines(cls)[1])


@pytest.mark.parametrize("cls", [int, type("Made", (), {}), type("Lost", (), {"__module__": "of.nowhere"})])
def test_a_class_without_source_has_a_name_alone(cls: type[Any]) -> None:
    """Built in, made by a call, or of a module that is gone."""
    assert (origin_of(cls).file, origin_of(cls).line) == (None, None)
    assert str(origin_of(cls)) == cls.__qualname__


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is parsed from now on."""
    seen: list[str] = []
    real: Any = ast.parse

    def counting(text: str, *args: Any, **options: Any) -> Any:
        seen.append(text)
        return real(text, *args, **options)

    monkeypatch.setattr(ast, "parse", counting)
    return seen


@pytest.fixture
def module(tmp_path: Path) -> Iterator[types.ModuleType]:
    """A file of ten classes."""
    path = tmp_path / "classes_of_origin.py"
    path.write_text("".join(f"class D{n}:\n    def __init__(self, q{n}: int = 1): ...\n" for n in range(10)))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


def test_registering_reads_no_source_and_the_first_requests_parse_a_file_once(
    module: types.ModuleType, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsing its file for each class at each use took ten times what FastAPI takes for everything."""
    app = FastAPI()
    with monkeypatch.context() as forbidding:
        forbidding.setattr("linecache.getlines", None)
        forbidding.setattr("builtins.open", None)
        for n in range(10):
            app.get(f"/{n}")(lambda d=Depends(vars(module)[f"D{n}"]): type(d).__name__)
    assert parsed == []

    client = TestClient(app)
    answers = [client.get(f"/{n}").json() for n in range(10)]

    assert answers == [f"D{n}" for n in range(10)]
    assert len(parsed) == (sys.version_info < (3, 13))  # a class knows its line from there on
    route: Any = app.routes[-1]
    assert "# dependency D9 (classes_of_origin.py:19)" in route.source


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="a class knows its line, whatever becomes of the file")
def test_a_file_that_has_changed_is_read_again(module: types.ModuleType, parsed: list[str]) -> None:
    """As `inspect` does: whoever edits a file looks at the lines that it has now."""
    path = Path(str(module.__file__))
    assert [origin_of(vars(module)[name]).line for name in ("D0", "D1")] == [1, 3]

    path.write_text("# a new line\n" + path.read_text())
    os.utime(path, (1, 1))

    assert [origin_of(vars(module)[name]).line for name in ("D0", "D1", "D2")] == [2, 4, 6]
    assert len(parsed) == 2
    path.write_text("class D0\n")
    assert str(origin_of(module.D0)) == "D0"


def test_a_place_is_looked_up_once_for_one_signature(module: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of a request tells it each time."""
    origin = origin_of(module.D3)
    first = str(origin)

    monkeypatch.setattr(inspect, "getsourcefile", None)

    assert str(origin) == first
