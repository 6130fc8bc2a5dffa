"""One `FieldInfo` out of everything that is said about a parameter.

`Annotated[int, Query(gt=0), Field(description="…")]` says it in several places; Pydantic merges
them, the marker's class and its own attributes (`in_`, `media_type`, …) are kept.
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
    """Copy a marker and give it all that the whole annotation says.

    Args:
        marker: The one that decides class and source; it is not changed.
        annotation: The parameter's full annotation, `Annotated[...]` included.
    """
    said = type(marker).from_annotation(annotation)
    merged = copy(marker)
    for name in FIELD_ATTRIBUTES:
        if hasattr(said, name):
            setattr(merged, name, getattr(said, name))
    merged._attributes_set = said._attributes_set.copy()
    merged.metadata = said.metadata
    merged.annotation = said.annotation
    return merged
