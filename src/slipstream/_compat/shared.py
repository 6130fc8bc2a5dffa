"""Questions about annotations, under FastAPI's half-public names."""

from typing import Any

from pydantic.version import VERSION

from slipstream._engine.signature.annotations import (
    SEQUENCE_TYPES as sequence_types,  # noqa: N811  # FastAPI's name
    is_bytes as is_bytes_or_nonable_bytes_annotation,
    is_bytes_sequence as is_bytes_sequence_annotation,
    is_pydantic_v1 as annotation_is_pydantic_v1,
    is_scalar as field_annotation_is_scalar,
    is_scalar_sequence as field_annotation_is_scalar_sequence,
    is_sequence as field_annotation_is_sequence,
    is_subclass as lenient_issubclass,
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
    "lenient_issubclass",
    "sequence_types",
    "value_is_sequence",
]


def value_is_sequence(value: Any) -> bool:
    """Whether a value is a sequence of others, text not counted."""
    return isinstance(value, sequence_types) and not isinstance(value, (str, bytes))
