"""Questions about annotations, under FastAPI's half-public names."""

from typing import Any, get_args

from pydantic.version import VERSION as PYDANTIC_VERSION
from starlette.datastructures import UploadFile

from slipstream._engine.signature import annotations

annotation_is_pydantic_v1 = annotations.is_pydantic_v1
field_annotation_is_scalar = annotations.is_scalar
field_annotation_is_scalar_sequence = annotations.is_scalar_sequence
field_annotation_is_sequence = annotations.is_sequence
is_bytes_or_nonable_bytes_annotation = annotations.is_bytes
is_bytes_sequence_annotation = annotations.is_bytes_sequence
lenient_issubclass = annotations.is_subclass
sequence_types = annotations.SEQUENCE_TYPES

PYDANTIC_VERSION_MINOR_TUPLE = tuple(int(part) for part in PYDANTIC_VERSION.split(".")[:2])


def is_uploadfile_sequence_annotation(annotation: Any) -> bool:
    """Whether it is a sequence of uploaded files, or a union with one."""
    if annotations.is_union(annotation):
        return any(map(is_uploadfile_sequence_annotation, get_args(annotation)))
    items = get_args(annotation)
    return field_annotation_is_sequence(annotation) and any(lenient_issubclass(item, UploadFile) for item in items)


def value_is_sequence(value: Any) -> bool:
    """Whether a value is a sequence of others, text not counted."""
    return isinstance(value, sequence_types) and not isinstance(value, (str, bytes))
