"""What hypothesis draws: types as source text, the values that suit them, parameters, and requests for parameters.

Everything that becomes part of an application is text, so that a failing example is a program that can be read.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.strategies import SearchStrategy

from .harness import Headers, Sent

_DEEP = int(os.environ.get("SLIPSTREAM_SEARCH", "1"))


def examples(count: int) -> settings:
    """How many examples a test draws: always the same ones in CI.

    `SLIPSTREAM_SEARCH=50` draws fifty times as many, other ones each time: the deep profile, for finding bugs.
    """
    return settings(
        max_examples=count * _DEEP,
        derandomize=_DEEP == 1,
        database=None,
        deadline=None,
        print_blob=_DEEP > 1,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


PREAMBLE = """
import dataclasses
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, List, Literal, NamedTuple, Optional, TypeVar, Union
from uuid import UUID

from fastapi import (
    APIRouter, BackgroundTasks, Body, Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Path, Query,
    Request, Response, Security, UploadFile, WebSocket,
)
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json, RootModel, field_validator, model_validator
from typing_extensions import TypedDict

T = TypeVar("T")

class Colour(Enum):
    red = "red"
    blue = "blue"

class Level(IntEnum):
    low = 1
    high = 2

class Sub(BaseModel):
    n: int
    s: str = "s"

class Item(BaseModel):
    name: str = Field(max_length=6)
    price: float = Field(1.5, gt=0)
    sub: Sub | None = None
    tags: list[str] = []
    colour: Colour = Colour.red

class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    a: int
    b_c: str | None = Field(None, alias="b-c")

class Checked(BaseModel):
    low: int = 0
    high: int = 9

    @field_validator("low")
    @classmethod
    def small(cls, value):
        if value > 100:
            raise ValueError("too much")
        return value

    @model_validator(mode="after")
    def ordered(self):
        if self.low > self.high:
            raise ValueError("wrong way round")
        return self

@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5

class Movie(TypedDict, total=False):
    title: str
    year: int

class Pair(NamedTuple):
    left: int
    right: str

class Box(BaseModel, Generic[T]):
    inside: T

class Names(RootModel[list[str]]):
    pass

class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9

class Dog(BaseModel):
    kind: Literal["dog"]
    bark: bool = True

def show(value):
    if isinstance(value, list):
        return [show(each) for each in value]
    if hasattr(value, "filename"):
        value.file.seek(0)
        return [value.filename, value.size, sorted(value.headers.items()), repr(value.file.read())]
    if isinstance(value, BaseModel):
        return [repr(value), sorted(value.model_fields_set)]
    return repr(value)

app = FastAPI()
# --- end of preamble
"""


@dataclass(frozen=True)
class Kind:
    """A type.

    `expr` is how it is written, `texts` what suits it in a path, a query, a header; `values` what suits it in JSON.
    """

    expr: str
    texts: SearchStrategy[str]
    values: SearchStrategy[Any]
    constraints: tuple[str, ...] = ()
    is_scalar: bool = True


def _kind(expr: str, texts: list[str], values: list[Any] | None = None, *constraints: str) -> Kind:
    return Kind(expr, st.sampled_from(texts), st.sampled_from(values if values is not None else texts), constraints)


_UUID = "6b1f6a4e-7f4b-4a0e-9f0c-1d2e3f405060"

SCALARS = (
    _kind("int", ["1", "0", "-7", "42", "+3", "1.0", " 5 "], [1, 0, -7, 42, 1.0, "3"],
          "ge=0", "gt=-8, lt=40", "le=5", "multiple_of=2", "strict=True"),
    _kind("float", ["1", "0.5", "-2.25", "1e3", "nan", "inf"], [1, 0.5, -2.25, "1.5", 1e300],
          "ge=0", "lt=1.5", "allow_inf_nan=False", "multiple_of=0.5"),
    _kind("bool", ["true", "false", "1", "0", "on", "off", "yes", "no"], [True, False, 1, 0, "true"]),
    _kind("str", ["abc", "", "a", "long-text", " x ", "ümlaut", "a b"], ["abc", "", "long-text", "ü"],
          "min_length=1", "max_length=3", "pattern='^a'", "min_length=2, max_length=4"),
    _kind("UUID", [_UUID, _UUID.replace("-", ""), _UUID.upper()]),
    _kind("date", ["2024-02-29", "2023-02-29", "1700000000", "2024-01-01T00:00:00"]),
    _kind("datetime", ["2024-02-29T10:00:00Z", "2024-02-29", "1700000000", "2024-02-29T10:00:00+02:00"]),
    _kind("time", ["10:00", "23:59:59.5", "10:00:00Z"]),
    _kind("timedelta", ["P1D", "3600", "1:00:00", "-P1DT2H"], ["P1D", 3600, 0.5]),
    _kind("Decimal", ["1.10", "0", "-3.14159", "1e5", "NaN"], [1.1, "1.10", 0, "-3.14159"],
          "ge=0", "max_digits=3", "decimal_places=2"),
    _kind("bytes", ["abc", "", "ü"]),
    _kind("Colour", ["red", "blue", "green"]),
    _kind("Level", ["1", "2", "3"], [1, 2, 3, "1"]),
    _kind("Literal['a', 'b']", ["a", "b", "c"]),
    _kind("Literal[1, 'x']", ["1", "x"], [1, "x", "1"]),
    _kind("Any", ["anything", "1"], [None, 1, "x", [1], {"a": {"b": None}}]),
)  # fmt: skip

ODD_TEXTS = (
    "", " ", "0", "1", "abc", "None", "null", "true", "[1, 2]", '{"n": 1}', '["a"]', "1e400", "9" * 40, "é", "\x00",
    "%", "a/b", "a,b", "-", "+", "NaN", "1 2", "&", "=", "\u20ac", "red", "x" * 30,
)  # fmt: skip

_ODD_VALUES = (
    None, True, False, 0, -1, 1.5, 10**30, "", "x", "1", [], [1], ["a", None], [[]], {}, {"a": 1}, {"n": 1}, {"": ""},
    {"name": "n", "price": 2}, [{"n": 1}], {"kind": "cat"}, "\u20ac", "null",
)  # fmt: skip


def maybe(strategy: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.one_of(st.just(""), strategy)


scalars = st.sampled_from(SCALARS)


def _optional(kind: Kind) -> Kind:
    return Kind(f"{kind.expr} | None", kind.texts, st.one_of(st.none(), kind.values), kind.constraints, kind.is_scalar)


def _union(pair: tuple[Kind, Kind]) -> Kind:
    one, two = pair
    return Kind(
        f"Union[{one.expr}, {two.expr}]",
        one.texts | two.texts,
        one.values | two.values,
        is_scalar=one.is_scalar and two.is_scalar,
    )


def _sequence(kind: Kind, shape: str) -> Kind:
    values = st.lists(kind.values, max_size=3)
    return Kind(shape.format(kind.expr), kind.texts, values, ("min_length=1", "max_length=2"), is_scalar=False)


scalar_kinds = st.one_of(
    scalars,
    scalars,
    scalars.map(_optional),
    st.tuples(scalars, scalars).filter(lambda pair: pair[0] is not pair[1]).map(_union),
)
sequence_kinds = st.builds(
    _sequence,
    scalars,
    st.sampled_from(["list[{}]", "set[{}]", "tuple[{}, ...]", "frozenset[{}]", "list[{}] | None", "List[{}]"]),
) | st.just(Kind("list", st.sampled_from(["a", "1"]), st.just([1, "a"]), is_scalar=False))


_NUMBERED = st.fixed_dictionaries(
    {"n": st.sampled_from([1, "2", "x", None])}, optional={"s": st.sampled_from(["t", 3])}
)
_ITEM = st.fixed_dictionaries(
    {"name": st.sampled_from(["pen", "too long a name", 3])},
    optional={
        "price": st.sampled_from([1, 0, "2.5", -1.0]),
        "sub": _NUMBERED | st.none(),
        "tags": st.lists(st.sampled_from(["a", 1])) | st.just("ab"),
        "colour": st.sampled_from(["red", "green"]),
        "other": st.just(1),
    },
)

MODELS = (
    Kind("Item", st.just("{}"), _ITEM, is_scalar=False),
    Kind("Sub", st.just("{}"), _NUMBERED, is_scalar=False),
    Kind("Strict", st.just("{}"), st.sampled_from([{"a": 1}, {"a": 1, "b-c": " x "}, {"a": 1, "z": 0}, {"b_c": "y"}]),
         is_scalar=False),
    Kind("Checked", st.just("{}"),
         st.sampled_from([{}, {"low": 1, "high": 5}, {"low": 6, "high": 5}, {"low": 101, "high": 500}]),
         is_scalar=False),
    Kind("Point", st.just("{}"), st.sampled_from([{"x": 1}, {"x": "2", "y": 3}, {"y": 1}, [1, 2]]), is_scalar=False),
    Kind("Movie", st.just("{}"), st.sampled_from([{}, {"title": "t"}, {"title": "t", "year": "1999"}, {"year": "x"}]),
         is_scalar=False),
    Kind("Pair", st.just("{}"), st.sampled_from([[1, "a"], [1], {"left": 1, "right": "r"}]), is_scalar=False),
    Kind("Box[int]", st.just("{}"), st.sampled_from([{"inside": 1}, {"inside": "x"}]), is_scalar=False),
    Kind("Names", st.just("[]"), st.sampled_from([["a"], [1], "a"]), is_scalar=False),
    Kind("dict[str, int]", st.just("{}"), st.sampled_from([{}, {"a": 1}, {"a": "x"}, {"b": None}]), is_scalar=False),
    Kind("dict[int, Sub]", st.just("{}"), st.sampled_from([{"1": {"n": 1}}, {"x": {"n": 2}}]), is_scalar=False),
    Kind("dict", st.just("{}"), st.sampled_from([{}, {"a": [1]}]), is_scalar=False),
)  # fmt: skip

models = st.sampled_from(MODELS)
_animals = st.sampled_from([{"kind": "cat"}, {"kind": "dog", "bark": 0}, {"kind": "cow"}, {"lives": 1}])
body_kinds = st.one_of(
    models,
    models.map(_optional),
    scalar_kinds,
    st.builds(
        _sequence, models | scalars, st.sampled_from(["list[{}]", "set[{}]", "tuple[{}, ...]", "list[{}] | None"])
    ),
    st.just(Kind("Union[Cat, Dog]", st.just("{}"), _animals, is_scalar=False)),
    st.just(Kind("Annotated[Union[Cat, Dog], Field(discriminator='kind')]", st.just("{}"), _animals, is_scalar=False)),
    st.tuples(models, models).filter(lambda pair: pair[0] is not pair[1]).map(_union),
)


@dataclass(frozen=True)
class Param:
    """A parameter of an endpoint: its declaration, the names it may come under, and what suits it."""

    source: str
    declaration: str
    names: tuple[str, ...]
    kind: Kind


DEFAULTS = {
    "int": ["3", "'x'"], "float": ["0.5"], "str": ["'d'", "''"], "bool": ["True"], "Colour": ["Colour.blue"],
    "bytes": ["b'd'"], "date": ["date(2020, 1, 2)"], "Decimal": ["Decimal('1.5')"],
}  # fmt: skip


@st.composite
def params(draw: st.DrawFn, name: str, source: str, kinds: SearchStrategy[Kind], *given: str) -> Param:
    """Draw one parameter, declared in one of the ways there are; `given` options are among its own."""
    kind = draw(kinds)
    marker = source.capitalize()
    options = list(given)
    names = [name]
    if kind.constraints and draw(st.booleans()):
        options.append(draw(st.sampled_from(kind.constraints)))
    alias = draw(st.sampled_from(["", "", "", "alias", "validation_alias", "choices", "both"]))
    if alias and source != "path":
        wire = draw(st.sampled_from([f"{name}-x", f"{name}_y", f"X{name}"]))
        if alias == "choices":
            options.append(f"validation_alias=AliasChoices({wire!r}, 'b{name}')")
            names += [wire, f"b{name}"]
        elif alias == "both":
            options.append(f"alias='c{name}', validation_alias={wire!r}")
            names += [wire, f"c{name}"]
        else:
            options.append(f"{alias}={wire!r}")
            names.append(wire)
    if source == "header":
        names.append(name.replace("_", "-"))
        if draw(st.integers(0, 3)) == 0:
            options.append("convert_underscores=False")
    extra = ["title='T'", "description='D.'", "deprecated=True", "include_in_schema=False", "examples=['e']",
             "json_schema_extra={'x-a': 1}", "openapi_examples={'one': {'value': 1}}"]  # fmt: skip
    options += draw(st.lists(st.sampled_from(extra), unique=True, max_size=1))
    default = _default(draw, source, kind)
    if default and draw(st.integers(0, 5)) == 0:
        options.append("validate_default=True")
    return Param(source, _declared(draw, name, marker, kind, options, default), tuple(names), kind)


def _default(draw: st.DrawFn, source: str, kind: Kind) -> str:
    if source == "path" or draw(st.integers(0, 2)) == 0:
        return ""
    if kind.expr.endswith("| None"):
        return "None"
    known = DEFAULTS.get(kind.expr, ["None"])
    if kind.expr.startswith(("list", "List")):
        known = ["[]", "['d']", "None"]
    return draw(st.sampled_from(known))


def _declared(draw: st.DrawFn, name: str, marker: str, kind: Kind, options: list[str], default: str) -> str:
    styles = ["annotated", "annotated", "value"]
    implied = {"Query": kind.is_scalar, "Path": True}.get(marker, False)
    if implied and not options:
        styles.append("bare")
    style = draw(st.sampled_from(styles))
    tail = f" = {default}" if default else ""
    if style == "bare":
        return f"{name}: {kind.expr}{tail}"
    if style == "value":
        given = ", ".join(([default] if default else []) + options)
        return f"{name}: {kind.expr} = {marker}({given})"
    if default in ("[]", "['d']") and draw(st.booleans()):
        return (
            f"{name}: Annotated[{kind.expr}, {marker}({', '.join([f'default_factory=lambda: {default}', *options])})]"
        )
    return f"{name}: Annotated[{kind.expr}, {marker}({', '.join(options)})]{tail}"


def texts_for(kind: Kind) -> SearchStrategy[str]:
    """Mostly what suits a type, at times what does not."""
    return st.one_of(kind.texts, kind.texts, st.sampled_from(ODD_TEXTS), st.text(max_size=6))


def values_for(kind: Kind) -> SearchStrategy[Any]:
    return st.one_of(kind.values, kind.values, kind.values, st.sampled_from(_ODD_VALUES))


def _header_value(text: str) -> bytes:
    return text.encode("latin-1", "replace").replace(b"\x00", b"").replace(b"\r", b"").replace(b"\n", b"")


_ODD_QUERIES = st.sampled_from(
    [b"", b"&", b"=", b"&&a", b"p0", b"p0&p0", b"p0=%zz", b"p0=%ff", b"p0=a=b", b"p0=1;p1=2", b"p0=\xff",
     b"p0=\xc3\xbc", b"p0=+1", b"p0=%00", b"%70%30=7", b"p0[]=1", b"=1&p0=2", b"p0=1&p0=2&p0=3"]
)  # fmt: skip
_ODD_COOKIES = st.sampled_from(
    [b"", b";", b"c0", b"c0=", b'c0="q\\073"', b"c0=1; c0=2", b"c0 = 3 ;;c1=4", b"=x", b"c0=\xff", b"c0=%20", b"c0=a=b"]
)


@st.composite
def requests(
    draw: st.DrawFn, params: tuple[Param, ...], *, method: str = "GET", path: str = "", body: Any = None
) -> Sent:
    """Draw a request for an endpoint with some parameters; `path` is the text before the path parameters."""
    query: list[str] = []
    headers: list[tuple[bytes, bytes]] = []
    cookies: list[str] = []
    for param in params:
        if param.source == "path":
            text = draw(texts_for(param.kind)).replace("\ud800", "") or "x"
            path += "/" + text.encode("utf-8", "replace").decode()
            continue
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
            name = draw(st.sampled_from(param.names))
            text = draw(texts_for(param.kind))
            if param.source == "query":
                encode = draw(st.sampled_from([quote, quote_plus]))
                query.append(f"{encode(name)}={encode(text, errors='replace')}")
            elif param.source == "header":
                headers.append((name.lower().encode(), _header_value(text)))
            elif param.source == "cookie":
                cookies.append(f"{name}={text}")
    raw_query = "&".join(query).encode()
    if draw(st.integers(0, 4)) == 0:
        raw_query = draw(_ODD_QUERIES) + b"&" + raw_query
    if cookies:
        headers.append((b"cookie", _header_value("; ".join(cookies))))
    if any(param.source == "cookie" for param in params) and draw(st.integers(0, 4)) == 0:
        headers.append((b"cookie", draw(_ODD_COOKIES)))
    return Sent(method, path or "/", raw_query, tuple(headers))


CONTENT_TYPES = (
    b"application/json", b"application/json", b"application/json", b"application/json; charset=utf-8",
    b"application/problem+json", b"APPLICATION/JSON", b"text/plain", b"application/x-www-form-urlencoded", b"",
    b"application/geo+json;x=y", b"nonsense", b"application/jsonx",
)  # fmt: skip

_ODD_BODIES = (
    b"", b" ", b"null", b"{", b"[1,", b"{}", b"[]", b'""', b"0", b'{"a":1,"a":2}', b"\xff\xfe", b"tru", b'{"a": NaN}',
    b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b"[" * 2000, b'\xef\xbb\xbf{}', b"{'a': 1}", b'{"a":1}x', b"1 2",
    b'{"n": 1e400}', b'{"name": "\\ud800"}', b"9" * 5000, b'\n{"n"\t: 1}\r\n',
)  # fmt: skip


@st.composite
def json_bodies(draw: st.DrawFn, values: SearchStrategy[Any]) -> tuple[tuple[bytes, ...], Headers]:
    """Draw the chunks of a JSON body, sometimes broken, and its Content-Type."""
    if draw(st.integers(0, 5)) == 0:
        raw = draw(st.sampled_from(_ODD_BODIES))
    else:
        dump: Callable[[Any], str] = draw(
            st.sampled_from([json.dumps, lambda value: json.dumps(value, ensure_ascii=False, indent=1)])
        )
        raw = dump(draw(values)).encode("utf-8", "surrogatepass")
        if draw(st.integers(0, 11)) == 0:
            raw = raw[: draw(st.integers(0, len(raw)))]
    content_type = draw(st.sampled_from(CONTENT_TYPES))
    headers: Headers = ((b"content-type", content_type),) if content_type else ()
    cut = draw(st.sampled_from([0, 0, 0, 1, 3]))
    chunks = (raw[:cut], b"", raw[cut:]) if cut else (raw,)
    return chunks, headers
