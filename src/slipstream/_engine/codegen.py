"""Source text: written line by line, and loaded as a function whose lines tracebacks, debuggers and profilers show."""

import builtins
import dis
import keyword
import linecache
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from types import CodeType
from typing import Any
from weakref import WeakValueDictionary, finalize

_BUILTINS = frozenset(dir(builtins))
_RESERVED = _BUILTINS | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)


def literal(value: Any) -> str:
    """Return the `repr` of a string, a number, None, or a sequence of them, with double quotes."""
    if isinstance(value, (str, bytes)):
        text = repr(value)
        prefix, quoted = ("b", text[1:]) if isinstance(value, bytes) else ("", text)
        inner = quoted[1:-1]
        return text if quoted[0] == '"' or '"' in inner or "\\'" in inner else f'{prefix}"{inner}"'
    if type(value) is list:
        return f"[{', '.join(map(literal, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


class Writer:
    """Collects the text of one function and its constants; it never gives one name to two things.

    `taken` are names that `local` must not return.
    """

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self.lines: list[tuple[int, str]] = []
        self.constants: dict[str, Any] = {}
        self._names: set[str] = set(taken)
        self._by_identity: dict[int, str] = {}
        self._depth = 0

    def line(self, text: str = "") -> None:
        self.lines.append((self._depth, text))

    def comment(self, text: str) -> None:
        """Add a comment; line breaks and the like are escaped, so that no text leaves its line."""
        safe = text.encode("unicode_escape").decode("ascii")
        self.lines.append((self._depth, f"# {safe}"))

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Add `head` and indent the lines inside; an empty block gets a `pass`."""
        self.line(head)
        self._depth += 1
        before = len(self.lines)
        yield
        if all(text.startswith("#") for _, text in self.lines[before:]):
            self.line("pass")
        self._depth -= 1

    @contextmanager
    def function(self, head: str, outer: Iterable[str] = ()) -> Iterator[None]:
        """Add a nested function; the locals `outer` of the function around it that it assigns become `nonlocal`."""
        with self.block(head):
            before = len(self.lines)
            yield
            assigned = {name for _, text in self.lines[before:] for name in _assigned(text)}
            shared = [name for name in dict.fromkeys(outer) if name in assigned]
            if shared:
                self.lines.insert(before, (self._depth, f"nonlocal {', '.join(shared)}"))

    def local(self, wish: str) -> str:
        """Reserve a local name close to the wish: `limit`, then `limit_2`."""
        base = re.sub(r"\W", "_", wish, flags=re.ASCII) or "value"
        if base[0].isdigit():
            base = f"_{base}"
        name, number = base, 2
        while not self.is_free(name):
            name, number = f"{base}_{number}", number + 1
        self._names.add(name)
        return name

    def is_free(self, name: str) -> bool:
        return name not in self._names and name not in _RESERVED

    def constant(self, wish: str, value: Any) -> str:
        """Return the name of an object to which the text refers; the same object keeps its name."""
        known = self._by_identity.get(id(value))
        if known is not None:
            return known
        name = self.local(wish)
        self.constants[name] = value
        self._by_identity[id(value)] = name
        return name

    @property
    def text(self) -> str:
        return _joined(self.lines)

    @property
    def shape(self) -> str:
        """The source with its comments emptied: sources of the same shape compile to the same code."""
        return _joined((depth, "#" if text.startswith("# ") else text) for depth, text in self.lines)


def _joined(lines: Iterable[tuple[int, str]]) -> str:
    return "".join(f"{'    ' * depth}{text}".rstrip() + "\n" for depth, text in lines)


def _assigned(line: str) -> list[str]:
    targets, equals, _ = line.partition(" = ") if " += " not in line else line.partition(" += ")
    return re.findall(r"\w+", targets) if equals and re.fullmatch(r"[\w, ()]+", targets) else []


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
