"""What only Pydantic's own code reads and writes may be done in any thread; everything else is not taken for such."""

import contextlib
import json
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    RootModel,
    TypeAdapter,
    ValidationError,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import TypedDict

from slipstream._engine.schema import may_run_user_code

from .drawn import annotations, documents, ran


class Colour(Enum):
    RED = "red"


class Guessing(Enum):
    RED = "red"

    @classmethod
    def _missing_(cls, value: object) -> "Guessing":
        return cls.RED


class Plain(BaseModel):
    number: int = Field(1, gt=0)
    text: str | None = None
    kind: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    id: UUID | None = None


class Tree(BaseModel):
    branches: list["Tree"] = []
    leaves: dict[str, Plain | int] = {}


class Checked(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def check(cls, value: int) -> int:
        return value


class CheckedWhole(BaseModel):
    @model_validator(mode="after")
    def check(self) -> "CheckedWhole":
        return self


class Written(BaseModel):
    number: int

    @field_serializer("number")
    def write(self, value: int) -> int:
        return value


class WrittenWhole(BaseModel):
    @model_serializer
    def write(self) -> int:
        return 1


class Computed(BaseModel):
    @computed_field
    @property
    def number(self) -> int:
        return 1


class Made(BaseModel):
    number: int

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)


class Looked(BaseModel):
    number: int

    def model_post_init(self, context: Any) -> None:
        pass


class Filled(BaseModel):
    numbers: list[int] = Field(default_factory=list)


class Left(BaseModel):
    number: Annotated[int, Field(exclude_if=lambda value: value == 0)]


class Open(BaseModel, extra="allow"):
    """What comes as an extra may be a model with a serializer."""

    number: int = 1


class Holds(BaseModel):
    inner: list[Written]


class Typed(TypedDict):
    """Not on the list: it may be put there when somebody needs it."""

    number: int


@pytest.mark.parametrize(
    "annotation",
    [int, str | None, list[float], dict[str, UUID], Annotated[int, Field(gt=3)], Plain, Tree, RootModel[int]],
    ids=str,
)
def test_what_pydantic_does_alone_runs_no_code_of_a_users(annotation: Any) -> None:
    """Such values are read and written in a worker without anyone's notice."""
    assert not may_run_user_code(TypeAdapter(annotation).core_schema)


@pytest.mark.parametrize(
    "annotation",
    [
        Any,
        object,
        Annotated[int, AfterValidator(abs)],
        Annotated[int, BeforeValidator(abs)],
        Annotated[int, PlainSerializer(str)],
        Guessing,
        Checked,
        CheckedWhole,
        Written,
        WrittenWhole,
        Computed,
        Made,
        Looked,
        Filled,
        Left,
        Open,
        Holds,
        list[Checked],
        Typed,
    ],
    ids=str,
)
def test_where_a_function_may_be_called_it_is_said(annotation: Any) -> None:
    """It then runs where FastAPI runs it."""
    assert may_run_user_code(TypeAdapter(annotation).core_schema)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(annotations, st.lists(documents, min_size=3, max_size=8))
def test_whoever_runs_no_code_of_a_users_runs_none(annotation: Any, given_documents: list[Any]) -> None:
    """A validator that reads a context variable, or is no friend of threads, would see that it is elsewhere."""
    adapter = TypeAdapter(annotation)
    if may_run_user_code(adapter.core_schema):
        return
    ran.clear()

    for document in given_documents:
        with contextlib.suppress(ValidationError):
            adapter.dump_json(adapter.validate_python(document))
        with contextlib.suppress(ValidationError):
            adapter.dump_python(adapter.validate_json(json.dumps(document)), mode="json")

    assert ran == []
