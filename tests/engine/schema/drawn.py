"""Types as users write them, documents to be read as such, and a list of the user's code that has run meanwhile."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union
from uuid import UUID

from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    RootModel,
    WrapValidator,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict

ran: list[str] = []
"""The user's code that has run."""


def note(value: Any) -> Any:
    ran.append("function")
    return value


class Colour(Enum):
    RED = "red"
    ONE = 1


class Guessing(Enum):
    RED = "red"

    @classmethod
    def _missing_(cls, value: object) -> "Guessing":
        ran.append("missing")
        return cls.RED


class Plain(BaseModel):
    a: int = 0
    b: Optional[str] = None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    a: str = "x"


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: float = 0.5


class Tree(BaseModel):
    a: Optional["Tree"] = None
    b: list["Tree"] = []


class Aliased(BaseModel):
    a: int = Field(0, alias="x")


class AliasedTree(BaseModel):
    a: Optional["AliasedTree"] = None
    b: int = Field(0, serialization_alias="y")


class Generated(BaseModel):
    model_config = ConfigDict(alias_generator=str.upper, populate_by_name=True)
    a: int = 0


class Filled(BaseModel):
    a: list[int] = Field(default_factory=lambda: note([]))


class Made(BaseModel):
    a: Any = None

    def __init__(self, **values: Any) -> None:
        ran.append("init")
        super().__init__(**values)


class Looked(BaseModel):
    a: Any = None

    def model_post_init(self, context: Any) -> None:
        ran.append("post_init")


class Checked(BaseModel):
    a: Any = None

    @model_validator(mode="before")
    @classmethod
    def check(cls, value: Any) -> Any:
        return note(value)


class Written(BaseModel):
    a: Any = None

    @field_serializer("a")
    def write(self, value: Any) -> Any:
        return note(value)


class WrittenWhole(BaseModel):
    a: Any = None

    @model_serializer
    def write(self) -> Any:
        return note(self.a)


class Computed(BaseModel):
    @computed_field(alias="n")
    @property
    def number(self) -> int:
        ran.append("property")
        return 1


class Left(BaseModel):
    a: Annotated[int, Field(exclude_if=lambda value: note(value) == 0)] = 0


class Root(RootModel[list[Plain]]):
    pass


class Own:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(
            core_schema.str_schema(), core_schema.no_info_plain_validator_function(note)
        )


@dataclass
class Data:
    a: int = 0
    b: list[int] = field(default_factory=lambda: note([]))


class Typed(TypedDict, total=False):
    a: Annotated[int, AfterValidator(note)]


class Pair(NamedTuple):
    a: Annotated[int, AfterValidator(note)]
    b: str = "x"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    a: int = Field(0, alias="x")


leaves: list[Any] = [
    Any, None, bool, int, float, str, bytes, Decimal, date, datetime, timedelta, UUID, Colour, Guessing,
    Literal["a", 1], Annotated[int, Field(gt=0)], Annotated[str, Field(max_length=2, pattern="a")],
    Annotated[int, AfterValidator(note)], Annotated[int, BeforeValidator(note)], Annotated[Any, PlainSerializer(note)],
    Annotated[Any, WrapValidator(lambda value, handler: note(handler(value)))],
    Annotated[Union[Cat, Dog], Field(discriminator="kind")],
    Plain, Closed, Open, Tree, Aliased, AliasedTree, Generated, Filled, Made, Looked, Checked, Written, WrittenWhole,
    Computed, Left, Root, Own, Data, Typed, Pair,
]  # fmt: skip

annotations = st.recursive(
    st.sampled_from(leaves),
    lambda inner: st.one_of(
        inner.map(lambda item: list[item]),  # type: ignore[valid-type]
        inner.map(lambda item: tuple[item, ...]),  # type: ignore[valid-type]
        inner.map(lambda item: dict[str, item]),  # type: ignore[valid-type]
        inner.map(lambda item: Optional[item]),
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda pair: Union[pair]),
        st.tuples(inner, inner).map(lambda pair: create_model("Made", a=(pair[0], ...), b=(pair[1], None))),
    ),
    max_leaves=4,
)

documents = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, 0.5, "", "a", "abc", "red", "1", "cat", "2020-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "x", "y", "A", "kind"]), inner, max_size=3)
        | st.fixed_dictionaries({"kind": st.sampled_from(["cat", "dog"])})
        | st.just({})
    ),
    max_leaves=5,
)
