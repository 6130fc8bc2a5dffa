"""Where a model is written with more than it is read with, the document may need two schemas of it."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, computed_field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from slipstream._engine.schema import has_computed_fields


class Model(BaseModel):
    @computed_field
    @property
    def area(self) -> int:
        return 1


@pydantic_dataclass
class Data:
    side: int

    @computed_field
    @property
    def area(self) -> int:
        return 1


@dataclass
class Plain:
    side: int


@pytest.mark.parametrize(
    ("annotation", "answer"), [(Model, True), (Data, True), (Plain, False), (int, False), (list[Model], False)]
)
def test_only_the_model_itself_counts(annotation: Any, answer: bool) -> None:
    """FastAPI looks no deeper here; models inside are found by their annotations."""
    assert has_computed_fields(TypeAdapter(annotation).core_schema) is answer
