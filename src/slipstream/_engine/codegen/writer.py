"""A builder for Python source: lines, blocks, names and constants. It never gives one name to two things."""

import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_RESERVED = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | frozenset(dir(builtins))


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
    """Collects the text of one function and its constants; `taken` are names that `local` must not return."""

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
