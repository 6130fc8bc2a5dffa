"""Which fields of a model may have values that Pydantic's serializer and `json` write differently?"""

from enum import Enum
from typing import Any

from slipstream._engine.schema.walk import Node, Schema, answers, walk

ATOMS = frozenset({str, int, bool, type(None)})
"""Types whose values both write alike."""

_LEAVES = frozenset(
    {"str", "int", "bool", "none", "date", "time", "datetime", "uuid", "url", "multi-host-url", "decimal"}
)
"""Kinds whose values are written as a string, a number, `true`, `false` or `null`."""

_WRAPPERS = frozenset(
    {"nullable", "default", "function-before", "function-after", "function-wrap", "list", "set", "frozenset"}
)

_AROUND_FIELDS = frozenset(
    {"model", "model-fields", "definitions", "definition-ref", "function-before", "function-after", "function-wrap"}
)
"""Kinds that may be between a model's schema and its fields."""

_OTHER_MODELS = frozenset({"model", "definition-ref"})
"""Kinds that are not entered, since a value of another model is examined by itself."""


@answers(if_unknown=None)
def odd_fields(schema: Any) -> list[str] | None:
    """List the fields whose values must be examined before they are written; None if user code serializes the model."""
    for node in walk(schema, closed=frozenset({"model-fields"})):
        if node.kind not in _AROUND_FIELDS or "serialization" in node.schema:
            return None
        if node.schema.get("root_model"):
            return _odd({"root": node.schema["schema"]})
        if node.kind == "model-fields":
            break
    if node.schema.get("computed_fields"):
        return None
    fields = node.schema["fields"].items()
    if any(_is_written_otherwise(name, field) for name, field in fields):
        return None
    return _odd({name: field["schema"] for name, field in fields})


def _is_written_otherwise(name: str, field: Schema) -> bool:
    """Whether FastAPI may leave the field out (SQLAlchemy's `_sa…`), or the user's `exclude_if`."""
    return field.get("serialization_alias", name).startswith("_sa") or "serialization_exclude_if" in field


def _odd(fields: dict[str, Any]) -> list[str] | None:
    nodes = {name: list(walk(schema, closed=_OTHER_MODELS)) for name, schema in fields.items()}
    if any("serialization" in node.schema for met in nodes.values() for node in met):
        return None
    return [name for name, met in nodes.items() if not all(map(_is_ordinary, met))]


def _is_ordinary(node: Node) -> bool:
    """Whether values of a schema need no examination."""
    if node.kind == "enum":
        values = [member.value if isinstance(member, Enum) else member for member in node.schema["members"]]
        return ATOMS.issuperset(map(type, values))
    if node.kind == "literal":
        return ATOMS.issuperset(map(type, node.schema["expected"]))
    return node.kind in _LEAVES or (node.kind in _WRAPPERS and bool(node.parts))
