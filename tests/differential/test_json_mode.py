"""Bodies that are validated straight from their bytes, against FastAPI's two steps: parse, then validate.

Requests cost too much to try many values; here the two ways meet without an application between them.
"""

import json
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union
from uuid import UUID

import pytest
from hypothesis import example, given, strategies as st
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from slipstream._engine.schema import is_json_safe

from .strategies import examples


class Colour(Enum):
    red = "red"
    one = 1


class Level(IntEnum):
    low = 1
    high = 2


class Word(StrEnum):
    a = "a"
    one = "1"


class Fraction(float, Enum):
    half = 0.5
    one = 1.0


class Inner(BaseModel):
    n: int
    s: str = "s"


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)
    a: str


class Exact(BaseModel):
    model_config = ConfigDict(strict=True)
    a: date


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    a: int = Field(0, alias="b")


class Both(Inner):
    more: Inner | None = None
    others: list["Both"] = []


class Movie(TypedDict, total=False):
    n: int


class Two(NamedTuple):
    a: int
    b: str = "x"


@dataclass
class Point:
    n: int
    f: float = 0.5


LEAVES: tuple[Any, ...] = (
    int,
    float,
    bool,
    str,
    bytes,
    date,
    datetime,
    time,
    timedelta,
    Decimal,
    UUID,
    Colour,
    Level,
    Word,
    Fraction,
    Any,
    None,
    object,
    Literal["a", "1"],
    Literal[1, "a"],
    Literal[True, 2],
    Literal[Level.low, "x"],
    Inner,
    Loose,
    Exact,
    Aliased,
    Both,
    Movie,
    Two,
    Point,
    dict,
    list,
    set,
    tuple,
    Annotated[int, Field(ge=0, lt=10)],
    Annotated[float, Field(allow_inf_nan=False)],
    Annotated[str, Field(pattern="^a")],
    Annotated[str, Field(max_length=2)],
    Annotated[int, Field(strict=True)],
    Annotated[str, BeforeValidator(str)],
    Annotated[Any, AfterValidator(lambda value: value)],
    Annotated[float, Field(multiple_of=0.5)],
    Annotated[Decimal, Field(max_digits=3)],
    Annotated[bool, Field(strict=True)],
    Annotated[date, Field(gt=date(2000, 1, 1))],
)

NATIVE: tuple[Any, ...] = (int, float, bool, str, Any, Inner, Both, Loose, Aliased, Movie, Colour, Level, date, UUID)
"""Those that may take the short way are drawn more often: the claim is about them."""


def _wrapped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a container, three times out of four one that may take the short way."""
    common = st.one_of(
        inner.map(lambda each: list[each]),  # type: ignore[valid-type]  # made while it runs
        inner.map(lambda each: dict[str, each]),  # type: ignore[valid-type]
        inner.map(lambda each: dict[int, each]),  # type: ignore[valid-type]
        inner.map(lambda each: Optional[each]),
        st.tuples(inner, inner).map(lambda two: Union[two[0], two[1]]),
        inner.map(lambda each: TypedDict("Drawn", {"a": each})),  # type: ignore[operator]
    )
    rare = st.one_of(
        inner.map(lambda each: set[each]),  # type: ignore[valid-type]
        inner.map(lambda each: Sequence[each]),  # type: ignore[valid-type]
        inner.map(lambda each: deque[each]),  # type: ignore[valid-type]
        inner.map(lambda each: Mapping[str, each]),  # type: ignore[valid-type]
        inner.map(lambda each: OrderedDict[str, each]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda two: tuple[two[0], two[1]]),  # type: ignore[valid-type]
    )
    return st.one_of(common, common, common, rare)


_leaves = st.one_of(st.sampled_from(NATIVE), st.sampled_from(NATIVE), st.sampled_from(NATIVE), st.sampled_from(LEAVES))
types = st.recursive(_leaves, _wrapped, max_leaves=3)

ATOMS = st.sampled_from(
    [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "2",
        "-1",
        "1.0",
        "1.5",
        "0.5",
        "-0.0",
        "1e2",
        "1E400",
        "-1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "10000000000000000000000",
        "9007199254740993",
        "0.1",
        "1.00000000000000000001",
        "1e-400",
        '""',
        '"a"',
        '"1"',
        '"ab"',
        '"abc"',
        '"true"',
        '" 1 "',
        '"1.0"',
        '"\\u0000"',
        '"\\ud83d\\ude00"',
        '"\\ud800"',
        '"é"',
        '"2024-02-29"',
        '"2024-02-29T10:00:00Z"',
        '"10:00"',
        '"P1D"',
        '"6b1f6a4e-7f4b-4a0e-9f0c-1d2e3f405060"',
        '"red"',
        '"inf"',
        "1700000000",
        "170000000000",
        '"\\u0061"',
        '"1e2"',
        '"-0"',
        "1.0e0",
        '"nan"',
        '"2024-02-29T00:00:00"',
        '"x"',
    ]
)
KEYS = st.sampled_from(['"a"', '"b"', '"n"', '"s"', '"1"', '"f"', '"more"', '"others"', '"x"', '"\\u0061"'])
documents = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(KEYS, inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=5,
)


@examples(500)
@given(annotation=types, text=documents)
@example(annotation=dict[str, int], text='{"a": 1, "a": 2}')
def test_what_is_accepted_straight_from_bytes_is_what_two_steps_accept(annotation: Any, text: str) -> None:
    """The short way is taken only for what it accepts; then the value must be the one that FastAPI would give."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    except Exception:
        return
    if not is_json_safe(adapter.core_schema):
        return
    try:
        straight = adapter.validator.validate_json(text.encode())
    except (ValidationError, PydanticCustomError):
        return

    assert repr(adapter.validator.validate_python(json.loads(text))) == repr(straight)


@pytest.mark.parametrize(
    "annotation", [int, str, list[int], dict[str, Any], Inner, Both, list[Both], Inner | None], ids=str
)
def test_common_bodies_take_the_short_way(annotation: Any) -> None:
    """Safe would be to take it never; it is what makes bodies cheap."""
    assert is_json_safe(TypeAdapter(annotation).core_schema)
