"""Questions about annotations, under FastAPI's half-public names."""

from typing import Any, get_args

from pydantic.version import VERSION
from starlette.datastructures import UploadFile

from slipstream._engine.signature.annotations import (
    SEQUENCE_TYPES as sequence_types,  # noqa: N811  # FastAPI's name
    is_bytes as is_bytes_or_nonable_bytes_annotation,
    is_bytes_sequence as is_bytes_sequence_annotation,
    is_pydantic_v1 as annotation_is_pydantic_v1,
    is_scalar as field_annotation_is_scalar,
    is_scalar_sequence as field_annotation_is_scalar_sequence,
    is_sequence as field_annotation_is_sequence,
    is_subclass as lenient_issubclass,
    is_union,
)

PYDANTIC_VERSION_MINOR_TUPLE = tuple(int(part) for part in VERSION.split(".")[:2])

__all__ = [
    "PYDANTIC_VERSION_MINOR_TUPLE",
    "annotation_is_pydantic_v1",
    "field_annotation_is_scalar",
    "field_annotation_is_scalar_sequence",
    "field_annotation_is_sequence",
    "is_bytes_or_nonable_bytes_annotation",
    "is_bytes_sequence_annotation",
    "is_uploadfile_sequence_annotation",
    "lenient_issubclass",
    "sequence_types",
    "value_is_sequence",
]


def is_uploadfile_sequence_annotation(annotation: Any) -> bool:
    """Whether it is a sequence of uploaded files, or a union with one."""
    if is_union(annotation):
        return any(map(is_uploadfile_sequence_annotation, get_args(annotation)))
    items = get_args(annotation)
    return field_annotation_is_sequence(annotation) and any(lenient_issubclass(item, UploadFile) for item in items)


def value_is_sequence(value: Any) -> bool:
    """Whether a value is a sequence of others, text not counted."""
    return isinstance(value, sequence_types) and not isinstance(value, (str, bytes))
