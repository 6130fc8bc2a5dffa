"""Source text in, function out; tracebacks, debuggers and profilers see the text."""

import linecache
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from types import CodeType
from typing import Any
from weakref import WeakValueDictionary, finalize


@dataclass(frozen=True, slots=True)
class Source:
    """Generated source: one function of a name, its text, and the objects that it refers to."""

    function: str
    text: str
    shape: str
    constants: dict[str, Any]


def load(source: Source, label: str) -> Callable[..., Any]:
    """Compile the source and return its function.

    Sources that differ in comments and constants alone are compiled once.

    Args:
        label: What the file name is made of: `<label>`, or `<label #2>` while code of another text has that name.
    """
    file = _file(label, source.text)
    code = _named(_code_of(_Shaped(source.shape, source.text)), file.name)
    namespace = dict(source.constants)
    exec(code, namespace)
    function: Callable[..., Any] = namespace[source.function]
    finalize(function.__code__, _let_go, file).atexit = False  # for as long as a traceback needs the lines
    return function


class _File:
    """A text that `linecache` knows by name, for as long as there is code of it."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        lines = linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        finalize(self, _forget, name, lines).atexit = False


_files: WeakValueDictionary[str, _File] = WeakValueDictionary()
_naming = Lock()


def _file(label: str, text: str) -> _File:
    """Find the file of a text, or make one under the first name that is free."""
    with _naming:
        name, number = f"<{label}>", 1
        while (file := _files.get(name)) is not None and file.text != text:
            number += 1
            name = f"<{label} #{number}>"
        if file is None:
            file = _files[name] = _File(name, text)
        return file


def _let_go(file: _File) -> None:
    """Drop the reference to a file, which is all that had to be kept."""


def _forget(name: str, lines: Any) -> None:
    if linecache.cache.get(name) is lines:
        del linecache.cache[name]


@dataclass(frozen=True, slots=True)
class _Shaped:
    """A text that is known by its shape."""

    shape: str
    text: str

    def __hash__(self) -> int:
        return hash(self.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shaped) and self.shape == other.shape


@lru_cache(maxsize=2048)
def _code_of(shaped: _Shaped) -> CodeType:
    return compile(shaped.text, "<slipstream>", "exec", dont_inherit=True)


def _named(code: CodeType, filename: str) -> CodeType:
    """Give a code object, and all that it holds, a file name."""
    constants = tuple(_named(item, filename) if isinstance(item, CodeType) else item for item in code.co_consts)
    return code.replace(co_filename=filename, co_consts=constants)
