"""What Pydantic may write in one go: the client must not be able to tell, and nothing usual may be left out."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pytest
from fastapi.encoders import jsonable_encoder as their_encoder
from hypothesis import example, given, strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import to_json
from starlette.responses import JSONResponse

from slipstream._engine.runtime.plain import _look_of, is_plain
from slipstream._engine.runtime.response import plain_encoder
from slipstream.encoders import jsonable_encoder

T = TypeVar("T")
texts = st.text(st.characters(codec="utf-8"), max_size=8)
floats = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
encode = plain_encoder(jsonable_encoder)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Ratio(Enum):
    TINY = 1e-9
    HALF = 0.5


class Point(BaseModel):
    x: float
    y: float = 0.0


class Named(Point):
    """A subclass with more than a field of the type of its base shows."""

    name: Any = None


class Item(BaseModel):
    """What models of programs are made of."""

    sku: str
    price: float | None = None
    stock: int = 0
    tags: list[str] = []
    colour: Colour = Colour.RED
    size: Size = Size.SMALL
    kind: Literal["a", "b", 3] = "a"
    made: datetime | None = None
    code: UUID | None = None
    cost: Decimal = Decimal("1.50")
    places: list[Point] = []
    place: Point | None = None
    facts: dict[str, Any] = {}
    amounts: list[float] = []
    either: Point | str | list[int] = "none"


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=False)

    first_name: str = Field(alias="firstName")
    hidden: str = Field("x", exclude=True)


class Checked(BaseModel):
    """Validators of every mode; nothing about writing."""

    name: str

    @field_validator("name")
    @classmethod
    def stripped(cls, value: str) -> str:
        return value.strip()

    @model_validator(mode="before")
    @classmethod
    def anything(cls, data: Any) -> Any:
        return data

    @model_validator(mode="after")
    def fine(self) -> "Checked":
        return self


class Tree(BaseModel):
    weight: float = 1.0
    branches: list["Tree"] = []


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str = "open"


class Box(BaseModel, Generic[T]):
    content: T


class Numbers(RootModel[list[float]]):
    pass


class Secret(BaseModel):
    password: SecretStr
    at: Path = Path("a")


class Odd(BaseModel):
    ratio: Ratio = Ratio.TINY
    pair: tuple[float, float] = (1e-9, 1e22)
    some: set[int] = {1}
    wait: timedelta = timedelta(seconds=1.5)
    raw: bytes = b"abc"


class Computed(BaseModel):
    side: float

    @computed_field
    @property
    def area(self) -> float:
        return self.side * 1e-9


class ByField(BaseModel):
    value: float

    @field_serializer("value")
    def small(self, value: float) -> float:
        return value * 1e-9


class ByModel(BaseModel):
    value: float

    @model_serializer
    def small(self) -> dict[str, float]:
        return {"_sa_value": self.value * 1e-9}


class ByAnnotation(BaseModel):
    values: list[Annotated[float, PlainSerializer(lambda value: value * 1e-9)]]


class ByMethod(BaseModel):
    value: int = 1

    def model_dump(self, **options: Any) -> dict[str, Any]:
        return {"mine": 1e-9}


class Orm(BaseModel):
    state: int = Field(1, alias="_sa_state")


class Slotted(BaseModel):
    """A deprecated way of writing that Pydantic still honours."""

    model_config = ConfigDict(ser_json_timedelta="float", ser_json_inf_nan="constants")

    wait: timedelta = timedelta(microseconds=1)
    ratio: float = 1e-9


points = st.builds(Point, x=floats, y=floats)
named = st.builds(Named, x=floats, name=floats | texts)
trees = st.recursive(
    st.builds(Tree, weight=floats), lambda inner: st.builds(Tree, branches=st.lists(inner, max_size=3)), max_leaves=5
)
items = st.builds(
    Item,
    sku=texts,
    price=floats | st.none(),
    stock=st.integers(),
    tags=st.lists(texts, max_size=3),
    colour=st.sampled_from(Colour),
    size=st.sampled_from(Size),
    made=st.datetimes(timezones=st.sampled_from([None, UTC])) | st.none(),
    code=st.uuids() | st.none(),
    cost=st.decimals(allow_nan=False, allow_infinity=False),
    places=st.lists(points | named, max_size=2),
    place=points | named | st.none(),
    facts=st.dictionaries(texts | st.just("_sa_x"), floats | texts | points | st.dates(), max_size=2),
    amounts=st.lists(floats, max_size=3),
    either=points | texts | st.lists(st.integers(), max_size=2),
)
others = st.one_of(
    st.builds(Aliased, firstName=texts),
    st.builds(Checked, name=texts),
    trees,
    st.dictionaries(st.sampled_from(["more", "other", "_sa_x"]), floats | texts).map(lambda extra: Open(**extra)),
    points.map(lambda point: Box[Point](content=point)),
    floats.map(lambda value: Box[Any](content=value)),
    st.lists(floats, max_size=3).map(Numbers),
    texts.map(lambda text: Secret(password=SecretStr(text))),
    st.just(Odd()),
    st.builds(Computed, side=floats),
    st.builds(ByField, value=floats),
    st.builds(ByModel, value=floats),
    st.builds(ByAnnotation, values=st.lists(floats, max_size=2)),
    st.just(ByMethod()),
    st.just(Orm()),
    st.just(Slotted()),
    st.just(Item.model_construct(price=1e-9)),
    st.just(Point.model_construct(x="text")),
)
results = st.recursive(
    items | points | named | others | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


def their_bytes(value: Any) -> bytes:
    """What FastAPI sends for a result without a response model."""
    return bytes(JSONResponse(their_encoder(value)).body)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # of the models that are built wrongly
@given(results)
@example(Item(sku="1", price=1e16, amounts=[1e-5], facts={"_sa": 1}))
@example(Named(x=1, name=1e-5))
@example(Item(sku="1", places=[Named(x=1, name=object)]))
def test_results_are_written_as_fastapi_writes_them(value: Any) -> None:
    """Models in dicts in lists, whichever way they go."""
    assert encode(value) == their_bytes(value)


@given(floats)
@example(1e-4)
@example(math.nextafter(1e-4, 0))
@example(1e16)
@example(math.nextafter(1e16, 0))
@example(-0.0)
@example(5e-324)
def test_floats_are_plain_where_both_write_them_alike(value: float) -> None:
    """Scientific notation begins elsewhere."""
    assert encode(value) == their_bytes(value)
    if is_plain(value):
        assert to_json(value) == their_bytes(value)


@pytest.mark.parametrize("value", [0.0, 9.99, -3.5, 1e15, 0.0001])
def test_usual_floats_are_plain(value: float) -> None:
    """Prices and coordinates must not go the longer way."""
    assert is_plain({"value": [value]})


@given(plain)
def test_plain_values_are_known(value: Any) -> None:
    """A plain value that went the longer way would be slow and nobody would notice."""
    has_orm_key = any(key.startswith("_sa") for key in keys(value))

    assert is_plain(value) is not has_orm_key


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


@pytest.mark.parametrize(
    "value",
    [
        Item(sku="1", price=9.99, place=Point(x=1), places=[Point(x=2)], facts={"a": [1, None]}, either=[1]),
        Item(sku="1", made=datetime.now(UTC), code=UUID(int=1)),
        Aliased(firstName="a"),
        Checked(name="a"),
        Tree(branches=[Tree()]),
        Open.model_validate({"more": 1.5}),
        Box[Point](content=Point(x=1)),
        Numbers([1.5]),
    ],
    ids=["floats", "strings", "aliases", "validators", "tree", "extras", "generic", "root"],
)
def test_usual_models_are_plain(value: Any) -> None:
    """In lists and dicts too."""
    assert is_plain(value)
    assert is_plain({"items": [value]})


class Name(str):
    pass


@pytest.mark.parametrize(
    "value",
    [1e-9, (1,), {1: "a"}, [Name("a")], {2}, b"a", object(), Point,
     Computed(side=1), ByField(value=1), ByModel(value=1), ByAnnotation(values=[1]), ByMethod(), Orm(), Odd(),
     Named(x=1, name=object()), Open.model_validate({"_sa_x": 1}), Numbers([1e22])],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_may_be_written_otherwise_is_not_plain(value: Any) -> None:
    """Subclasses may have ways of their own; keys that are no strings are converted."""
    assert not is_plain(value)
    assert not is_plain([{"a": value}])


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e16, {Name("a"): 1}, {"_sa": 1}], ids=repr)
def test_odd_numbers_and_keys_are_not_plain(value: Any) -> None:
    """FastAPI drops the keys of SQLAlchemy's state."""
    assert not is_plain(value)


def test_classes_that_come_and_go_are_forgotten() -> None:
    """A program may make classes as long as it runs."""
    known = _look_of
    before = known.cache_info()

    assert all(is_plain(type("Made", (BaseModel,), {})()) for _ in range(10))

    assert known.cache_info().misses == before.misses + 10
    assert known.cache_info().maxsize == 4096
