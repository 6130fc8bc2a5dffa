"""Source text in, function out; tracebacks, debuggers and profilers see the text."""

import builtins
import dis
import linecache
from collections.abc import Callable, Iterator
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


@dataclass(eq=False)
class UnboundName(Exception):
    """Generated text reads a global name that is neither a constant of its source nor a builtin: an error of ours."""

    name: str
    line: int
    text: str

    def __str__(self) -> str:
        shown = self.text.splitlines()[self.line - 1].strip()
        return f"nothing binds {self.name!r}, which line {self.line} of the generated text reads: {shown}"


def load(source: Source, label: str) -> Callable[..., Any]:
    """Compile the source and return its function.

    Sources that differ in comments and constants alone are compiled once.

    Args:
        label: What the file name is made of: `<label>`, or `<label #2>` while code of another text has that name.

    Raises:
        UnboundName: The text reads a name that nothing binds, on whatever path.
    """
    shaped, names = _code_of(_Shaped(source.shape, source.text))
    if not names <= source.constants.keys():
        _refuse_unbound(source, shaped)
    filename, text = _file(label, source.text)
    code = _named(shaped, filename)
    namespace = dict(source.constants)
    exec(code, namespace)
    function: Callable[..., Any] = namespace[source.function]
    finalize(function.__code__, id, text).atexit = False  # keeps the text for as long as a traceback needs the lines
    return function


class _Text(str):
    """A text that `linecache` has until its last code is gone."""


_texts: WeakValueDictionary[str, _Text] = WeakValueDictionary()
"""By file name."""
_naming = Lock()


def _file(label: str, text: str) -> tuple[str, _Text]:
    """Find the file name of a text, or give it the first one that is free."""
    with _naming:
        name, number = f"<{label}>", 1
        while (known := _texts.get(name)) is not None and known != text:
            number += 1
            name = f"<{label} #{number}>"
        if known is None:
            known = _texts[name] = _Text(text)
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
            finalize(known, linecache.cache.pop, name, None).atexit = False
        return name, known


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
def _code_of(shaped: _Shaped) -> tuple[CodeType, frozenset[str]]:
    """Compile a text, and find the global names that it reads, builtins aside."""
    code = compile(shaped.text, "<slipstream>", "exec", dont_inherit=True)
    return code, frozenset(name for inner in _codes(code) for name in _globals_of(inner)) - _BUILTINS


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all that it holds."""
    yield code
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from _codes(item)


_BUILTINS = frozenset(dir(builtins))
_LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]


def _globals_of(code: CodeType) -> Iterator[str]:
    """Read from the bytes of a code object which global names it reads; `dis` takes a hundred times as long.

    An argument's lowest bit is no part of the name's place, from Python 3.11 on.
    """
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    place = operations.find(_LOAD_GLOBAL)
    while place >= 0:
        argument = arguments[place]
        if place and operations[place - 1] == dis.EXTENDED_ARG:
            argument |= arguments[place - 1] << 8
        yield code.co_names[argument >> 1]
        place = operations.find(_LOAD_GLOBAL, place + 1)


def _refuse_unbound(source: Source, code: CodeType) -> None:
    """Raise for the first name that nothing binds, as `dis` sees it: another Python may write its bytes otherwise."""
    for inner in _codes(code):
        line = 0
        for instruction in dis.get_instructions(inner):
            line = instruction.positions.lineno or line if instruction.positions else line
            name = instruction.argval
            if instruction.opname == "LOAD_GLOBAL" and name not in _BUILTINS and name not in source.constants:
                raise UnboundName(name, line, source.text)


def _named(code: CodeType, filename: str) -> CodeType:
    """Give a code object, and all that it holds, a file name."""
    constants = tuple(_named(item, filename) if isinstance(item, CodeType) else item for item in code.co_consts)
    return code.replace(co_filename=filename, co_consts=constants)
