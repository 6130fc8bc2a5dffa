"""Where no alias can be, generated code does not say which name to write."""

import contextlib
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import (
    BaseModel,
    Field,
    PlainSerializer,
    RootModel,
    TypeAdapter,
    ValidationError,
    computed_field,
    field_serializer,
)

from slipstream._engine.schema import has_aliases

from .drawn import annotations, documents


class Plain(BaseModel):
    number: int = 1
    text: str | None = None
    kind: Literal["a", "b"] = "a"


class Tree(BaseModel):
    branches: list["Tree"] = []
    leaf: Plain | int = 1


class Aliased(BaseModel):
    number: int = Field(1, serialization_alias="n")


class Generated(BaseModel, alias_generator=str.upper):
    number: int = 1


class Open(BaseModel, extra="allow"):
    """What comes as an extra may be a model with aliases."""

    number: int = 1


class Computed(BaseModel):
    @computed_field(alias="n")
    @property
    def number(self) -> int:
        return 1


class ByHand(BaseModel):
    """A serializer is told whether aliases are wanted."""

    number: int = 1

    @field_serializer("number")
    def write(self, value: int, info: Any) -> str:
        return str(info.by_alias)


class Left(BaseModel):
    side: Literal["left"] = "left"


class Right(BaseModel):
    side: Literal["right"] = "right"


@pytest.mark.parametrize(
    "annotation", [int, Plain, list[Plain], dict[str, Plain], tuple[Plain, ...], Tree, Plain | int, RootModel[Plain]],
    ids=str,
)  # fmt: skip
def test_what_has_one_name_only(annotation: Any) -> None:
    """Most models."""
    assert not has_aliases(TypeAdapter(annotation).core_schema)


@pytest.mark.parametrize(
    "annotation",
    [Aliased, list[Aliased], Aliased | int, tuple[int, Aliased], Generated, Open, Computed, ByHand, Any, dict[str, Any],
     Annotated[int, PlainSerializer(str)], Annotated[Left | Right, Field(discriminator="side")]],
    ids=str,
)  # fmt: skip
def test_what_may_have_another_name(annotation: Any) -> None:
    """Or is of a kind that nobody looked into."""
    assert has_aliases(TypeAdapter(annotation).core_schema)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(annotations, st.lists(documents, min_size=3, max_size=8))
def test_without_aliases_both_ways_of_naming_write_alike(annotation: Any, given_documents: list[Any]) -> None:
    """The option is left out of the generated call for these; a name that changed would be seen by every client."""
    adapter = TypeAdapter(annotation)
    if has_aliases(adapter.core_schema):
        return

    for document in given_documents:
        with contextlib.suppress(ValidationError):
            value = adapter.validate_python(document)
            assert adapter.dump_json(value, by_alias=True) == adapter.dump_json(value, by_alias=False)
