"""Source text in, function out; tracebacks, debuggers and profilers see the text."""

import linecache
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """Generated source: one function of a name, its text, and the objects that it refers to.

    `filename` is stable: it names the route, not the process, so that profiles of two runs add up.
    """

    function: str
    filename: str
    text: str
    shape: str
    constants: dict[str, Any]


def load(source: Source) -> Callable[..., Any]:
    """Compile the source and return its function.

    Sources that differ in comments and constants alone are compiled once.
    """
    lines = source.text.splitlines(keepends=True)
    linecache.cache[source.filename] = (len(source.text), None, lines, source.filename)
    code = _named(_code_of(_Shaped(source.shape, source.text)), source.filename)
    namespace = dict(source.constants)
    exec(code, namespace)
    return namespace[source.function]  # type: ignore[no-any-return]


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
    """Give a code object, and all that it holds, the file name of its route."""
    constants = tuple(_named(item, filename) if isinstance(item, CodeType) else item for item in code.co_consts)
    return code.replace(co_filename=filename, co_consts=constants)
