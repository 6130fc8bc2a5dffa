"""Where a user wrote a callable."""

import ast
import inspect
import linecache
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from slipstream._engine.signature.kinds import unwrapped
from slipstream._engine.signature.model import Origin


def origin_of(call: Any) -> Origin:
    """Tell where the user wrote a callable; a callable object is told by its class."""
    target = unwrapped(call)
    if not (inspect.isroutine(target) or inspect.isclass(target)):
        target = type(target)
    name = getattr(target, "__qualname__", repr(target))
    code = getattr(target, "__code__", None)
    if code is not None:
        return Origin(name, code.co_filename, code.co_firstlineno)
    return _ClassOrigin(name, target) if inspect.isclass(target) else Origin(name, None, None)


class _ClassOrigin(Origin):
    """The place of a class, looked up when it is asked for: its file has to be parsed for it."""

    def __init__(self, name: str, cls: type[Any]) -> None:
        self.__dict__.update(name=name, cls=cls)

    @cached_property
    def file(self) -> str | None:
        return self._place[0]

    @cached_property
    def line(self) -> int | None:
        return self._place[1]

    @cached_property
    def _place(self) -> tuple[str | None, int | None]:
        cls: Any = self.__dict__["cls"]
        try:
            file = inspect.getsourcefile(cls)
        except (OSError, TypeError):  # typed into a prompt, or built in
            file = None
        if file is None:
            return None, None
        line = vars(cls).get("__firstlineno__") or _class_lines(file, cls.__module__).get(cls.__qualname__)
        return (None, None) if line is None else (file, line)


_parsed: dict[str, tuple[list[str], dict[str, int]]] = {}
"""By file: its lines, and where they define which class. `linecache` gives other lines when the file has changed."""


def _class_lines(file: str, module: str) -> dict[str, int]:
    """List the classes of a file with the line that each begins in."""
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
