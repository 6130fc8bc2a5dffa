"""Where a body is validated straight from its bytes, the answer is that of parsing it first.

FastAPI parses, then validates Python values. The other way is three times as fast, and is taken for
annotations of which `is_json_safe` says that both ways agree; here they are made to disagree.
"""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, Optional, Union
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StrictInt,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    create_model,
    field_validator,
)
from typing_extensions import TypedDict

from slipstream._engine.schema import is_json_safe


class Color(StrEnum):
    RED = "red"
    ONE = "1"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    ONE = 1
    TEXT = "1"
    HALF = 0.5
    NOTHING = None


class Point(TypedDict, total=False):
    x: int
    y: float


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int = 0


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: Optional[float] = None


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    a: Annotated[str, Field(alias="b", max_length=3)] = "x"


class Tree(BaseModel):
    a: Optional["Tree"] = None
    b: list["Tree"] = []


class Checked(BaseModel):
    a: Any = None

    @field_validator("a", mode="before")
    @classmethod
    def text_of(cls, value: Any) -> str:
        return f"{type(value).__name__} {value}"


LEAVES: list[Any] = [
    Any, None, bool, int, float, str, date, time, datetime, UUID, Color, Level, Mixed,
    Literal[1], Literal["1", "a"], Literal[True], Literal[None, 1, "a"], Literal[Level.LOW],
    Annotated[int, Field(gt=0, le=100)], Annotated[str, Field(min_length=1, max_length=2)],
    Annotated[float, Field(allow_inf_nan=False)],
    Annotated[int, BeforeValidator(lambda value: value * 2 if isinstance(value, str) else value)],
    Annotated[str, AfterValidator(str.upper)],
    Annotated[int, WrapValidator(lambda value, handler: handler(value))],
    Point, Closed, Open, Aliased, Tree, Checked,
]  # fmt: skip

annotations = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(lambda item: list[item]),  # type: ignore[valid-type]
        inner.map(lambda item: dict[str, item]),  # type: ignore[valid-type]
        st.tuples(st.sampled_from([int, str, float, bool, Color, Level, date, UUID, Literal[1, "1"]]), inner).map(
            lambda pair: dict[pair[0], pair[1]]  # type: ignore[name-defined]
        ),
        inner.map(lambda item: Optional[item]),
        st.tuples(inner, inner).map(lambda pair: Union[pair]),
        st.tuples(inner, inner).map(lambda pair: create_model("Made", a=(pair[0], ...), b=(pair[1], None))),
    ),
    max_leaves=4,
)

strings = st.sampled_from(
    ["", "1", "1.0", "-0", "true", "no", "null", "red", "a", "b", "abc", "NaN", "inf", "1e3", " 1 ", "2020-01-01",
     "2020-01-01T00:00:00", "2020-01-01T00:00:00Z", "12:00", "1577836800", "12345678-1234-5678-1234-567812345678",
     "12345678123456781234567812345678", "é", "\U0001f600", "\x00", "١"]
)  # fmt: skip
numbers = st.sampled_from(
    [0, 1, 2, -1, 100, 2**31, 2**53 + 1, 2**63, 2**70, 10**30, 0.0, -0.0, 0.5, 1.0, 1.5, 1e3, 1e16, 1e20, 1e308,
     1577836800, 1577836800.5, float("inf"), float("nan"), True, False, None]
)  # fmt: skip
documents = st.recursive(
    strings | numbers | st.text(max_size=3) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "x", "y", "1", "red", "2020-01-01"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def outcome(validate: Callable[[], Any]) -> Any:
    """A validated value in a form that equals only itself, types told apart; None where it is refused."""
    try:
        return (exact(validate()),)
    except ValidationError:
        return None


def exact(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return type(value), exact(value.__dict__), exact(value.__pydantic_extra__), value.model_fields_set
    if isinstance(value, dict):
        return [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [exact(item) for item in value]
    return type(value), repr(value)


def compare(adapter: TypeAdapter[Any], text: str) -> None:
    """Check that what the fast way accepts, the other accepts with the same value."""
    from_bytes = outcome(lambda: adapter.validator.validate_json(text.encode()))
    from_values = outcome(lambda: adapter.validator.validate_python(json.loads(text.encode()), from_attributes=True))

    # What the fast way refuses is read again the other way, for the errors: only a value may not differ.
    if from_bytes is not None:
        assert from_bytes == from_values


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(annotations, st.lists(documents, min_size=3, max_size=12))
@example(int | bool, [True, 1, 1.0])
@example(float | int, [1, 1.0, "1"])
@example(Level, [1.0, "1", True])
@example(Mixed, [1, "1", 1.0, True, 0.5, None])
@example(Literal[1], [1.0, True, "1"])
@example(dict[Level, int], [{"1": 1}])
@example(list[Tree], [[{"a": {"b": [{}]}}]])
@example(Union[Aliased, dict[str, Annotated[str, AfterValidator(str.upper)]], None], [{"a": ""}])
@example(Union[Aliased, int, str, None], [{"a": ""}, 1, "1", None, 1.0, True])
def test_what_is_said_to_be_safe_is_read_alike(annotation: Any, given_documents: list[Any]) -> None:
    """A body accepted in one way with another value would be the worst of surprises: a silent one."""
    adapter = TypeAdapter(annotation)
    if not is_json_safe(adapter.core_schema):
        return

    for document in given_documents:
        compare(adapter, json.dumps(document))


@pytest.mark.parametrize("annotation", [Closed, Open, Aliased, Tree, Checked, Point, Any, dict[str, int]], ids=repr)
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"b": "x", "a": "y"}',
        '{"a": "y", "b": "x", "b": "z"}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e400}',
        '{"a": 1.00000000000000000000000001}',
        '{"a": 123456789012345678901234567890}',
        '{"a": "\\ud83d\\ude00"}',
        '{"a": "\\ud800"}',
        ' {"a" : 1 } \n',
        '\ufeff{"a": 1}',
        '{"a": 1} x',
        "{'a': 1}",
        '{"a": 01}',
        '{"a": "\t"}',
        "",
    ],
    ids=ascii,
)
def test_odd_documents_are_read_alike(annotation: Any, text: str) -> None:
    """Repeated keys, numbers beyond floats, a byte-order mark: the parsers are two, the answer is one."""
    adapter = TypeAdapter(annotation)
    assert is_json_safe(adapter.core_schema)

    try:
        json.loads(text.encode())
    except (json.JSONDecodeError, UnicodeDecodeError):
        with pytest.raises(ValidationError):
            adapter.validator.validate_json(text.encode())
    else:
        compare(adapter, text)


class StrictModel(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date


class Initialised(BaseModel):
    a: int = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)


def told_the_mode(value: Any, info: ValidationInfo) -> Any:
    return f"{info.mode} {value}"


@pytest.mark.parametrize(
    "annotation",
    [
        bytes, timedelta, Decimal, set[int], tuple[int, ...], frozenset[str], StrictInt, StrictModel, Initialised,
        Annotated[date, Strict()], Union[int, date], Union[UUID, str], list[set[int]], dict[str, Decimal],
        Annotated[Any, BeforeValidator(told_the_mode)], create_model("Deep", a=(list[StrictModel], ...)),
        Union[Aliased, dict[str, str]], Union[Closed, Open], Union[list[int], dict[str, int]], Union[int, Any],
        Union[int, Annotated[str, AfterValidator(str.upper)]],
    ],
    ids=range(21),
)  # fmt: skip
def test_what_may_be_read_otherwise_is_not_safe(annotation: Any) -> None:
    """JSON mode is more lenient: strict dates take strings, sets take lists, unions choose otherwise."""
    assert not is_json_safe(TypeAdapter(annotation).core_schema)


@pytest.mark.parametrize(
    "annotation", [Closed, Tree, Checked, list[Aliased], Optional[Open], int, dict[str, Any]], ids=repr
)
def test_what_most_bodies_are_is_safe(annotation: Any) -> None:
    """The saving would be lost without a sign if the walk grew too careful."""
    assert is_json_safe(TypeAdapter(annotation).core_schema)
