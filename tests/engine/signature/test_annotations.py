"""Questions about annotations, whose answers decide where an unmarked parameter comes from."""

from collections import deque
from collections.abc import AsyncIterator, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, Json
from pydantic.fields import FieldInfo

from slipstream import UploadFile
from slipstream._engine.signature.annotations import (
    bare,
    is_bytes,
    is_bytes_sequence,
    is_json,
    is_scalar,
    is_scalar_sequence,
    is_sequence,
    is_subclass,
    is_union,
    is_upload,
    model_of,
    models_of_union,
    stream_item,
)

T = TypeVar("T")


class Item(BaseModel):
    name: str


class Box(BaseModel, Generic[T]):
    content: T


class Color(Enum):
    RED = 1


@dataclass
class Point:
    x: int


SCALARS: list[Any] = [
    int, str, bytes, float, bool, UUID, Decimal, Color, Any, None, Literal["a"], Optional[int], Union[int, str],
    Annotated[int, Field(gt=0)], Annotated[int, "x"] | None,
]  # fmt: skip
COMPOSITES: list[Any] = [
    Item, Box[int], Point, dict, dict[str, int], Mapping[str, int], list, list[int], set[str], tuple[int, ...],
    frozenset[int], deque[int], Sequence[int], UploadFile, Optional[Item], Annotated[Item, "x"], int | Item,
]  # fmt: skip


@pytest.mark.parametrize("annotation", SCALARS, ids=repr)
def test_one_string_can_hold_a_scalar(annotation: Any) -> None:
    """Such a parameter is read from the query."""
    assert is_scalar(annotation)


@pytest.mark.parametrize("annotation", COMPOSITES, ids=repr)
def test_no_string_can_hold_what_is_composed(annotation: Any) -> None:
    """Such a parameter is read from the body."""
    assert not is_scalar(annotation)


@pytest.mark.parametrize(
    ("annotation", "sequence", "of_scalars"),
    [
        (list, True, True),
        (list[int], True, True),
        (list[int] | None, True, True),
        (Annotated[set[str], "x"], True, True),
        (tuple[int, ...], True, True),
        (list[Item], True, False),
        (list[list[int]], True, False),
        (list[int] | Item, True, False),
        (list[int] | int, True, True),
        (str, False, False),
        (bytes, False, False),
        (dict[str, int], False, False),
        (int | None, False, False),
    ],
    ids=repr,
)
def test_a_sequence_of_scalars_fits_repeated_keys(annotation: Any, sequence: bool, of_scalars: bool) -> None:
    """`?tag=a&tag=b`; a string is no sequence here, whatever Python says."""
    assert (is_sequence(annotation), is_scalar_sequence(annotation)) == (sequence, of_scalars)


@pytest.mark.parametrize(
    ("annotation", "answer"),
    [(UploadFile, True), (UploadFile | None, True), (list[UploadFile], True), (list[UploadFile] | None, True),
     (list[Annotated[UploadFile, "x"]], True), (bytes, False), (list[bytes], False), (Any, False)],
    ids=repr,
)  # fmt: skip
def test_uploads_are_known_alone_optional_and_in_sequences(annotation: Any, answer: bool) -> None:
    """They make a body a multipart form without any marker."""
    assert is_upload(annotation) is answer


def test_bytes_are_known_alone_optional_and_in_sequences() -> None:
    """A file parameter of them gets the content in place of the file."""
    assert [is_bytes(each) for each in (bytes, bytes | None, list[bytes], str)] == [True, True, False, False]
    assert [is_bytes_sequence(each) for each in (list[bytes], list[bytes] | None, bytes)] == [True, True, False]


@pytest.mark.parametrize(
    ("annotation", "model", "models"),
    [(Item, Item, ()), (Item | None, Item, ()), (Box[int], Box[int], ()), (Item | Box[int], None, (Item, Box[int])),
     (Item | Box[int] | None, None, (Item, Box[int])), (Item | int, None, ()), (int, None, ()), (list[Item], None, ())],
    ids=repr,
)  # fmt: skip
def test_models_are_found_alone_optional_and_in_unions(annotation: Any, model: Any, models: tuple[Any, ...]) -> None:
    """A parameter model is one; a form may be any of several."""
    assert (model_of(annotation), models_of_union(annotation)) == (model, models)


@pytest.mark.parametrize(
    ("annotation", "item"),
    [(AsyncIterator[Item], Item), (Generator[int, None, str], int), (Iterable[int], int), (list[int], None),
     (Item, None), (int | None, None)],
    ids=repr,
)  # fmt: skip
def test_the_items_of_a_stream_are_told_by_its_annotation(annotation: Any, item: Any) -> None:
    """They are validated one by one; a list is a result of its own."""
    assert stream_item(annotation) is item


def test_json_text_is_known_by_its_marker() -> None:
    """`Json[Item]` is one string, whatever it holds."""
    assert is_json(FieldInfo.from_annotation(Json[Item]))
    assert not is_json(FieldInfo.from_annotation(Item))


def test_small_questions() -> None:
    """A generic alias passes for a class in some versions of Python."""
    assert not is_subclass(list[int], list)
    assert is_subclass(bool, int)
    assert is_union(Optional[int])
    assert is_union(int | None)
    assert not is_union(int)
    assert bare(Annotated[int, "x"]) is int
