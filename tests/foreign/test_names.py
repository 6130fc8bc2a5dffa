"""Private names of other libraries stand in `slipstream/_foreign` and nowhere else in `src`."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "slipstream"
LIBRARIES = ("anyio", "asyncio", "nonebot", "opentelemetry", "starlette", "uvicorn", "websockets")
INSIDE = ("nonebot.internal", "uvicorn.lifespan", "uvicorn.middleware", "uvicorn.protocols")
"""Modules without an underscore that their libraries do not document."""

ROOM = "_foreign/"
"""Where private names may stand."""

BY_NAME = frozenset({"delattr", "getattr", "hasattr", "setattr", "attrgetter", "methodcaller"})


def is_private(name: str) -> bool:
    """Whether a name begins with an underscore and is none of Python's own."""
    return name.startswith("_") and not name.endswith("__") and name.strip("_") != ""


def folders(library: str) -> Iterator[Path]:
    """Find where a library lies."""
    found = importlib.util.find_spec(library)
    for folder in (found.submodule_search_locations or ()) if found else ():
        # OpenTelemetry's folder holds what many packages put there, nearly all of it never used
        parts = ("_logs", "context", "metrics", "sdk", "trace") if library == "opentelemetry" else ("",)
        yield from (Path(folder, part) for part in parts if Path(folder, part).is_dir())


@cache
def names_within(library: str) -> frozenset[str]:
    """Collect the private names of functions, classes, modules' variables and attributes in a library."""
    # what asyncio's futures and tasks have in C
    names = {"_callbacks", "_fut_waiter", "_must_cancel"} if library == "asyncio" else set()
    for path in (path for folder in folders(library) for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
    return frozenset(filter(is_private, names))


def is_theirs(module: str) -> bool:
    """Whether a module is of one of the libraries."""
    return module.partition(".")[0] in LIBRARIES


def uses_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find private names of the libraries: imports, attributes of others, names given as strings, names inherited."""
    theirs = frozenset().union(*map(names_within, LIBRARIES))
    origins = {
        alias.asname or alias.name: str(node.module).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and is_theirs(node.module or "")
        for alias in node.names
    }
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if is_theirs(module):
                for alias in node.names:
                    whole = f"{module}.{alias.name}"
                    if any(map(is_private, whole.split("."))) or whole.startswith(INSIDE):
                        yield node.lineno, whole
            case ast.Import():
                for alias in node.names:
                    if is_theirs(alias.name) and (
                        any(map(is_private, alias.name.split("."))) or alias.name.startswith(INSIDE)
                    ):
                        yield node.lineno, alias.name
            case ast.Constant(value=str(text)) if is_theirs(text) and text.isprintable() and " " not in text:
                if any(map(is_private, re.split(r"[.:]", text))):
                    yield node.lineno, text
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if is_private(name) and name in theirs:
                yield node.lineno, ast.unparse(node)
            case ast.Call(func=ast.Name(id=call) | ast.Attribute(attr=call)) if call in BY_NAME:
                texts = [given.value for given in node.args if isinstance(given, ast.Constant)]
                if any(is_private(part) and part in theirs for text in texts for part in str(text).split(".")):
                    yield node.lineno, ast.unparse(node)
            case ast.ClassDef(bases=bases):
                for name in (name for base in bases for name in ast.walk(base) if isinstance(name, ast.Name)):
                    if name.id in origins:
                        yield from inherited_in(node, names_within(origins[name.id]))


def inherited_in(cls: ast.ClassDef, theirs: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Find private attributes that a class reads of itself and never sets: they are its base's."""
    own = {node.name for node in cls.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    seen: list[ast.Attribute] = []
    for node in ast.walk(cls):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            own |= {node.attr} if isinstance(node.ctx, ast.Store) else set()
            seen.append(node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own.add(node.target.id)
    for node in seen:
        if is_private(node.attr) and node.attr in theirs and node.attr not in own:
            yield node.lineno, f"{cls.name}: self.{node.attr}"


def test_private_names_of_other_libraries_stand_in_their_modules_alone() -> None:
    """A release of theirs may change any of them; there must be one place to look at, and a way without."""
    found = [
        f"{path.relative_to(SRC)}:{line} {name}"
        for path in sorted(SRC.rglob("*.py"))
        if not str(path.relative_to(SRC)).startswith(ROOM)
        for line, name in uses_in(ast.parse(path.read_text()))
    ]

    assert found == []


def test_the_search_finds_each_kind_of_use() -> None:
    """A search that finds nothing proves nothing."""
    program = """
import anyio._core
from asyncio import Future
from starlette._utils import get_route_path
from uvicorn.protocols.utils import get_client_addr

class Mine(Future):
    def done(self):
        self._own = self._callbacks
        return self._own

def use(request, app):
    request._body = b""
    import_module("opentelemetry.sdk._logs")
    return getattr(app, "_low_priority_names"), hasattr(request, "_stream_consumed"), request._of_ours
"""
    found = [name for _, name in uses_in(ast.parse(program))]

    assert sorted(found) == sorted(
        [
            "anyio._core",
            "starlette._utils.get_route_path",
            "uvicorn.protocols.utils.get_client_addr",
            "Mine: self._callbacks",
            "request._body",
            "opentelemetry.sdk._logs",
            "hasattr(request, '_stream_consumed')",
        ]
    )
