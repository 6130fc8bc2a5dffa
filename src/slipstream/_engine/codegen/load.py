"""Turns source text into a function whose lines tracebacks, debuggers and profilers can show."""

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
    """Generated source: the name of its function, the text, and the objects to which the text refers."""

    function: str
    text: str
    shape: str
    """The text with its comments emptied."""
    constants: dict[str, Any]


@dataclass(eq=False)
class UnboundName(Exception):
    """A bug of slipstream: generated text reads a global name that is no constant of its source and no builtin."""

    name: str
    line: int
    text: str

    def __str__(self) -> str:
        shown = self.text.splitlines()[self.line - 1].strip()
        return f"nothing binds {self.name!r}, which line {self.line} of the generated text reads: {shown}"


def load(source: Source, label: str) -> Callable[..., Any]:
    """Compile and return a function, its file `<label>` or `<label #2>`; sources of one shape are compiled once."""
    shaped, names = _code_of(source.shape)
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
    """A text that stays in `linecache` until the last code object made from it is gone."""


_texts: WeakValueDictionary[str, _Text] = WeakValueDictionary()
"""By file name."""
_naming = Lock()


def _file(label: str, text: str) -> tuple[str, _Text]:
    """Return the file name of a text and the text itself; a new text gets the first free name."""
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


@lru_cache(maxsize=2048)
def _code_of(shape: str) -> tuple[CodeType, frozenset[str]]:
    """Compile a text, and list the global names that it reads, without builtins."""
    code = compile(shape, "<slipstream>", "exec", dont_inherit=True)
    return code, frozenset(name for inner in _codes(code) for name in _globals_of(inner)) - _BUILTINS


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from _codes(item)


_BUILTINS = frozenset(dir(builtins))
_LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]


def _globals_of(code: CodeType) -> Iterator[str]:
    """Find the global names in the bytes of a code object; `dis` takes a hundred times as long."""
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    place = operations.find(_LOAD_GLOBAL)
    while place >= 0:
        argument = arguments[place]
        if place and operations[place - 1] == dis.EXTENDED_ARG:
            argument |= arguments[place - 1] << 8
        yield code.co_names[argument >> 1]
        place = operations.find(_LOAD_GLOBAL, place + 1)


def _refuse_unbound(source: Source, code: CodeType) -> None:
    """Raise for the first unbound name that `dis` finds too, in case a new Python has changed the bytes."""
    for inner in _codes(code):
        line = 0
        for instruction in dis.get_instructions(inner):
            line = instruction.positions.lineno or line if instruction.positions else line
            name = instruction.argval
            if instruction.opname == "LOAD_GLOBAL" and name not in _BUILTINS and name not in source.constants:
                raise UnboundName(name, line, source.text)


def _named(code: CodeType, filename: str) -> CodeType:
    constants = tuple(_named(item, filename) if isinstance(item, CodeType) else item for item in code.co_consts)
    return code.replace(co_filename=filename, co_consts=constants)
