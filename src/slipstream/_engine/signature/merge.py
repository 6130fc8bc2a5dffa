"""Makes one `FieldInfo` of all metadata of a parameter.

For `Annotated[int, Query(gt=0), Field(description="…")]`, Pydantic merges both; the result keeps the marker's class
and the marker's own attributes (`in_`, `media_type`, …).
"""

from copy import copy
from typing import Any

from pydantic.fields import FieldInfo

FIELD_ATTRIBUTES = (
    "default", "default_factory", "alias", "alias_priority", "validation_alias", "serialization_alias", "title",
    "field_title_generator", "description", "examples", "exclude", "exclude_if", "discriminator", "deprecated",
    "json_schema_extra", "frozen", "validate_default", "repr", "init", "init_var", "kw_only",
)  # fmt: skip
"""What Pydantic keeps in a `FieldInfo` besides annotation and metadata."""


def merge(marker: FieldInfo, annotation: Any) -> FieldInfo:
    """Copy a marker and set on the copy what the whole annotation, `Annotated[...]` included, says."""
    said = type(marker).from_annotation(annotation)
    merged = copy(marker)
    for name in FIELD_ATTRIBUTES:
        if hasattr(said, name):
            setattr(merged, name, getattr(said, name))
    merged._attributes_set = said._attributes_set.copy()
    merged.metadata = said.metadata
    merged.annotation = said.annotation
    return merged
