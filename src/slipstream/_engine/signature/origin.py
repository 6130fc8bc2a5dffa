"""Finds where a callable is defined."""

import ast
import inspect
import linecache
import sys
from collections.abc import Iterator
from typing import Any

from slipstream._engine.signature.kinds import unwrapped
from slipstream._engine.signature.model import Origin


def origin_of(call: Any) -> Origin:
    """Return where a callable is defined; for a callable object, where its class is."""
    target = unwrapped(call)
    if not (inspect.isroutine(target) or inspect.isclass(target)):
        target = type(target)
    name = getattr(target, "__qualname__", repr(target))
    code = getattr(target, "__code__", None)
    if code is not None:
        return Origin(name, code.co_filename, code.co_firstlineno)
    return _ClassOrigin(name, target) if inspect.isclass(target) else Origin(name, None, None)


class _ClassOrigin(Origin):
    """The place of a class, looked up when it is read, since its whole file has to be parsed."""

    def __init__(self, name: str, cls: type[Any]) -> None:
        self.__dict__.update(name=name, cls=cls)

    def __getattr__(self, name: str) -> Any:
        if name not in ("file", "line"):
            raise AttributeError(name)
        self.__dict__["file"], self.__dict__["line"] = _place_of(self.__dict__["cls"])
        return self.__dict__[name]


def _place_of(cls: type[Any]) -> tuple[str, int] | tuple[None, None]:
    try:
        file = inspect.getsourcefile(cls)
    except (OSError, TypeError):  # typed into a prompt, or built in
        return None, None
    line = file and (vars(cls).get("__firstlineno__") or _class_lines(file, cls.__module__).get(cls.__qualname__))
    return (file, line) if file and line else (None, None)


_parsed: dict[str, tuple[list[str], dict[str, int]]] = {}
"""By file: its lines and its classes. `linecache` gives another list of lines when the file has changed."""


def _class_lines(file: str, module: str) -> dict[str, int]:
    """Return the first line of each class in a file, by qualified name."""
    linecache.checkcache(file)
    lines = linecache.getlines(file, vars(sys.modules[module]))
    known = _parsed.get(file)
    if known is None or known[0] is not lines:
        try:
            found = dict(_classes(ast.parse("".join(lines)), ""))
        except SyntaxError:  # being written
            found = {}
        known = _parsed[file] = (lines, found)
    return known[1]


def _classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield prefix + child.name, min([child.lineno, *(each.lineno for each in child.decorator_list)])
            yield from _classes(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _classes(child, prefix)
