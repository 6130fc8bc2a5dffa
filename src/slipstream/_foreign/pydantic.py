"""Private names of Pydantic: the option of its core to build the validators of models from the schema given."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import SchemaValidator


class _Probe(BaseModel):
    number: float


def own_validator(adapter: TypeAdapter[Any], schema: Any) -> Any:
    """Return `validate_json` of a changed core schema of an adapter; None for no schema, or if it cannot be made.

    Without the private option Pydantic's core takes the models' own validators, whatever the schema says.
    """
    if schema is None or not KNOWS_OPTION or type(adapter.validator) is not SchemaValidator:
        return None
    return SchemaValidator(schema, _use_prebuilt=False).validate_json


def _knows_option() -> bool:
    model = TypeAdapter(_Probe)
    schema: Any = {"type": "model", "cls": _Probe, "schema": {"type": "any"}}
    try:
        own = SchemaValidator(schema, _use_prebuilt=False)
        return repr(own) != repr(SchemaValidator(schema)) or "Prebuilt" not in repr(model.validator)
    except TypeError:
        return False


KNOWS_OPTION = _knows_option()
"""Whether `own_validator` works."""
