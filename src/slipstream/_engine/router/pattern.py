"""Reads a path such as `/items/{item_id:int}` into a `Pattern`, with Starlette's syntax and meaning."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from starlette.convertors import CONVERTOR_TYPES, Convertor, PathConvertor, StringConvertor

from slipstream._engine.errors import DuplicatePathParameter, InvalidPath
from slipstream._engine.router.ambiguous import STARTS, divide

PARAMETER = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-zA-Z_][a-zA-Z0-9_]*))?\}")
"""`{name}` or `{name:converter}`; braces around anything else are ordinary text, as in Starlette."""

Convert: TypeAlias = Callable[[str], Any]
"""Makes a value of a parameter's text."""


@dataclass(frozen=True)
class Parameter:
    """One `{name:converter}` of a path."""

    name: str
    convertor: Convertor[Any] = field(compare=False)


Segment: TypeAlias = tuple[str | Parameter, ...]
"""The texts and parameters between two slashes; `()` if there are none."""


@dataclass(frozen=True)
class Pattern:
    """A path that has been read; names and converters are in the order of its parameters.

    `path_format` is it without converters (`/items/{item_id}`). A segment follows each slash (`/` has one, empty);
    without a leading slash the start is the first segment.
    """

    path: str
    segments: tuple[Segment, ...]
    convertors: Mapping[str, Convertor[Any]] = field(compare=False, hash=False, repr=False)
    path_format: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.convertors)

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether parameters share a segment or hold slashes, each with a converter of Starlette's own."""
        counts = [sum(isinstance(piece, Parameter) for piece in segment) for segment in self.segments]
        regexes = [convertor.regex for convertor in self.convertors.values()]
        is_known = all(regex in STARTS for regex in regexes)
        return is_known and (max(counts) > 1 or regexes.count(PathConvertor.regex) > 1)

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The path up to `$` as a regular expression; slow for hostile paths if the pattern `is_ambiguous`."""
        text = "/".join(segment_regex(segment, named=True) for segment in self.segments)
        return re.compile(f"^{'/' if self.path.startswith('/') else ''}{text}$")

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the converted parameters of `path`, or None if it does not fit or a converter raises ValueError."""
        if not self.is_ambiguous:
            return self.read_by_regex(path)
        texts = divide(self._pieces, path)
        return None if texts is None else self._convert(texts)

    def read_by_regex(self, path: str) -> dict[str, Any] | None:
        """Return what `read` returns; faster for a path that fits, unsafe for others if the pattern `is_ambiguous`."""
        found = self.regex.match(path)
        return None if found is None else self._convert([found[name] for name in self.names])

    def _convert(self, texts: Sequence[str]) -> dict[str, Any] | None:
        """Convert the texts of the parameters; None where Starlette answers 500, as for an `int` of 5,000 digits."""
        params: dict[str, Any] = {}
        try:
            for (name, convert), text in zip(self._conversions, texts, strict=True):
                params[name] = text if convert is None else convert(text)
        except ValueError:
            return None
        return params

    @cached_property
    def _conversions(self) -> list[tuple[str, Convert | None]]:
        return [(name, conversion(convertor)) for name, convertor in self.convertors.items()]

    @cached_property
    def _pieces(self) -> list[tuple[str | None, str]]:
        """The whole path as `divide` takes it, adjacent texts joined."""
        pieces: list[tuple[str | None, str]] = []
        text = "/" if self.path.startswith("/") else ""
        for segment in self.segments:
            for piece in segment:
                if isinstance(piece, str):
                    text += piece
                else:
                    pieces += [(None, text), (piece.name, piece.convertor.regex)]
                    text = ""
            text += "/"
        return [*pieces, (None, text.removesuffix("/"))]


def read_pattern(path: str, *, is_relative: bool = False) -> Pattern:
    """Read a path in Starlette's syntax; a relative one gets a prefix later, so it may lack the leading slash."""
    if not path.startswith("/") and not is_relative:
        raise InvalidPath(path, "Routed paths must start with '/'", f"write {'/' + path!r}")
    segments = tuple(read_segment(part, path) for part in path.removeprefix("/").split("/"))
    parameters = [piece for segment in segments for piece in segment if isinstance(piece, Parameter)]
    names = [parameter.name for parameter in parameters]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DuplicatePathParameter(path, tuple(repeated))
    return Pattern(
        path=path,
        segments=segments,
        convertors={parameter.name: parameter.convertor for parameter in parameters},
        path_format=PARAMETER.sub(r"{\1}", path),
    )


def read_segment(part: str, path: str) -> Segment:
    """Cut the text between two slashes of `path` into texts and parameters."""
    pieces: list[str | Parameter] = []
    end = 0
    for found in PARAMETER.finditer(part):
        if found.start() > end:
            pieces.append(part[end : found.start()])
        name = found[2] or "str"
        if name not in CONVERTOR_TYPES:
            known = ", ".join(sorted(CONVERTOR_TYPES))
            advice = f"write one of {known}, or register it before with starlette.convertors.register_url_convertor"
            raise InvalidPath(path, f"Unknown path convertor {name!r}", advice)
        pieces.append(Parameter(found[1], CONVERTOR_TYPES[name]))
        end = found.end()
    if end < len(part):
        pieces.append(part[end:])
    return tuple(pieces)


def conversion(convertor: Convertor[Any]) -> Convert | None:
    """Return the function that converts a parameter's text; None if the text itself is the value."""
    is_text = type(convertor).convert in (StringConvertor.convert, PathConvertor.convert)
    return None if is_text else convertor.convert


def segment_regex(segment: Segment, *, named: bool) -> str:
    """Write one segment as a regular expression, with named or with nameless groups for its parameters."""
    return "".join(
        re.escape(piece)
        if isinstance(piece, str)
        else f"({'?P<' + piece.name + '>' if named else '?:'}{piece.convertor.regex})"
        for piece in segment
    )
