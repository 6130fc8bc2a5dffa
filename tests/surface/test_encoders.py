"""`jsonable_encoder` against FastAPI's."""

import datetime
import ipaddress
import re
import types
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import fastapi.encoders
import pytest
from hypothesis import given, strategies as st
from pydantic import AnyUrl, BaseModel, Field, SecretBytes, SecretStr
from pydantic_core import PydanticUndefined
from pydantic_extra_types.color import Color

from slipstream import encoders
from slipstream.exceptions import PydanticV1NotSupportedError


class Kind(Enum):
    one = "1"
    pair = (1, 2)


class Level(IntEnum):
    low = 1


class Text(str):
    pass


class Inner(BaseModel):
    when: datetime.datetime = datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)
    amount: Decimal = Decimal("1.10")


class Model(BaseModel):
    renamed: int = Field(1, alias="reNamed")
    nothing: str | None = None
    inner: Inner = Inner()
    _sa_state: int = 1


@dataclass
class Point:
    x: int
    models: list[Model]
    none: None = None


class Bag:
    def __init__(self) -> None:
        self.a = {1}
        self._sa_state = object()


class Pairs:
    def __iter__(self) -> Any:
        return iter([("k", Decimal(2))])


class Frozen:
    __slots__ = ()


LEAVES: list[Any] = [
    None, True, 3, 2.5, "t", Text("x"), Kind.one, Kind.pair, Level.low, b"abc", Decimal("1.0"), Decimal("1"),
    Decimal("1E+2"), datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3), datetime.time(1, 2),
    datetime.timedelta(days=1, microseconds=5), uuid.UUID(int=5), ipaddress.ip_address("::1"),
    ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("10.0.0.1/8"), PurePosixPath("/a"),
    PureWindowsPath("c:\\a"), Path("b"), re.compile("a+"), SecretStr("s"), SecretBytes(b"s"), AnyUrl("https://a.b/c"),
    PydanticUndefined, Model(), Model(reNamed=5), Inner(), Point(1, [Model()]), Bag(), Pairs(), Color("red"),
    types.SimpleNamespace(a=1, b=[Kind.one]), {1, 2}, frozenset({1}),
]  # fmt: skip

trees = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.lists(inner).map(deque)
        | st.dictionaries(st.sampled_from(["a", "b", "_sa_x", 1, None, Kind.one]), inner)
        | st.lists(st.tuples(st.sampled_from("abc"), inner)).map(OrderedDict)
    ),
    max_leaves=8,
)
choices = (
    st.none()
    | st.sets(st.sampled_from(["a", "b", "renamed", "reNamed", "x"]))
    | st.just({"a": True, "inner": {"when"}})
)
options = st.fixed_dictionaries(
    {},
    optional={
        "include": choices,
        "exclude": choices,
        "by_alias": st.booleans(),
        "exclude_unset": st.booleans(),
        "exclude_defaults": st.booleans(),
        "exclude_none": st.booleans(),
        "sqlalchemy_safe": st.booleans(),
        "custom_encoder": st.sampled_from(
            [None, {}, {Kind: lambda o: o.name, Decimal: str}, {BaseModel: repr}, {str: str.upper}]
        ),
    },
)


def _outcome(encode: Callable[..., Any], tree: Any, given_options: dict[str, Any]) -> Any:
    try:
        return encode(tree, **given_options)
    except Exception as exc:
        return type(exc)


@given(tree=trees, options=options)
def test_anything_is_encoded_as_fastapi_does(tree: Any, options: dict[str, Any]) -> None:
    """The result goes over the wire; what cannot be encoded fails the same way."""
    ours, theirs = (_outcome(m.jsonable_encoder, tree, options) for m in (encoders, fastapi.encoders))

    assert ours == theirs
    assert repr(ours) == repr(theirs)


def test_generators_are_read_to_their_end() -> None:
    """An endpoint may return one."""
    assert encoders.jsonable_encoder(Decimal(i) for i in range(3)) == [0, 1, 2]


def test_nesting_is_bounded_by_the_stack_alone() -> None:
    """Clients nest; FastAPI manages this depth too."""
    value: Any = 1
    for _ in range(400):
        value = {"a": [value]}

    assert encoders.jsonable_encoder(value) == value


def test_what_is_no_mapping_and_has_no_attributes_is_refused() -> None:
    """Both attempts are told."""
    with pytest.raises(ValueError) as caught:
        encoders.jsonable_encoder(Frozen())

    assert [type(each) for each in caught.value.args[0]] == [TypeError, TypeError]


def test_an_encoder_can_be_taught_a_type() -> None:
    """Packages add to the table."""
    assert {each: encode for each, encode in encoders.ENCODERS_BY_TYPE.items() if each is complex} == {}
    encoders.ENCODERS_BY_TYPE[complex] = repr
    try:
        assert encoders.jsonable_encoder([1j]) == ["1j"]
    finally:
        del encoders.ENCODERS_BY_TYPE[complex]


@pytest.mark.filterwarnings("ignore")
def test_models_of_pydantic_1_are_refused() -> None:
    """They would be encoded wrongly, without a word."""
    from pydantic import v1

    class Old(v1.BaseModel):
        a: int = 1

    with pytest.raises(PydanticV1NotSupportedError, match="Old"):
        encoders.jsonable_encoder(Old())
