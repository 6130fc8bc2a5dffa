"""Private names of Pydantic: the option of its core to build the validators of models from the schema given."""

from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator


def own_validator(adapter: TypeAdapter[Any], schema: Any) -> Any:
    """Return `validate_json` of a changed core schema of an adapter; None for no schema, or if it cannot be made.

    Without the private option Pydantic's core takes the models' own validators, whatever the schema says.
    """
    if schema is None or not knows_option() or type(adapter.validator) is not SchemaValidator:
        return None
    return SchemaValidator(schema, _use_prebuilt=False).validate_json


@cache
def knows_option() -> bool:
    """Whether `own_validator` works; asked late, since few applications need it."""

    class Probe(BaseModel):
        number: float

    number: Any = {"type": "model-field", "schema": {"type": "float", "allow_inf_nan": False}}
    schema: Any = {"type": "model", "cls": Probe, "schema": {"type": "model-fields", "fields": {"number": number}}}
    try:
        SchemaValidator(schema, _use_prebuilt=False).validate_json(b'{"number": NaN}')
    except (TypeError, ValidationError) as exc:
        return isinstance(exc, ValidationError)
    return False
