"""Half-public names that packages take from FastAPI's `_compat`. A view: nothing here is used by the framework."""

from pydantic.version import VERSION as PYDANTIC_VERSION
from pydantic_core import PydanticUndefined as Undefined, PydanticUndefinedType as UndefinedType, Url as Url

from slipstream._compat.shared import (
    PYDANTIC_VERSION_MINOR_TUPLE as PYDANTIC_VERSION_MINOR_TUPLE,
    annotation_is_pydantic_v1 as annotation_is_pydantic_v1,
    field_annotation_is_scalar as field_annotation_is_scalar,
    field_annotation_is_scalar_sequence as field_annotation_is_scalar_sequence,
    field_annotation_is_sequence as field_annotation_is_sequence,
    is_bytes_or_nonable_bytes_annotation as is_bytes_or_nonable_bytes_annotation,
    is_bytes_sequence_annotation as is_bytes_sequence_annotation,
    is_uploadfile_sequence_annotation as is_uploadfile_sequence_annotation,
    lenient_issubclass as lenient_issubclass,
    sequence_types as sequence_types,
    value_is_sequence as value_is_sequence,
)
from slipstream._compat.v2 import (
    ModelField as ModelField,
    get_cached_model_fields as get_cached_model_fields,
    get_definitions as get_definitions,
    get_flat_models_from_fields as get_flat_models_from_fields,
    get_model_name_map as get_model_name_map,
    get_schema_from_model_field as get_schema_from_model_field,
    serialize_sequence_value as serialize_sequence_value,
)

PYDANTIC_V2 = True
RequiredParam = Undefined

__all__ = ["PYDANTIC_V2", "PYDANTIC_VERSION", "RequiredParam", "Undefined", "UndefinedType"]
