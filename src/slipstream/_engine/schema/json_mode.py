"""May a body be validated from its bytes?

FastAPI parses JSON first and validates Python values. Pydantic can do both at once in a third of the time, but its JSON
mode differs in places: a strict date accepts a string, a union may choose another member.
"""

from collections.abc import Sequence
from typing import Any

from slipstream._engine.schema.walk import Node, Schema, answers, walk

_JSON_NATIVE = frozenset({"any", "none", "bool", "int", "float", "str"})
"""Leaves that both modes read alike inside a union too, where Pydantic compares how exactly a value matches."""

_ALIKE = _JSON_NATIVE | {"date", "time", "datetime", "uuid", "enum", "literal"}
"""Leaves that both modes read alike elsewhere, unless they are strict."""

_SCALARS = _JSON_NATIVE - {"any"}
_COMPOSITES = frozenset({"model", "typed-dict", "list", "dict", "definition-ref"})

_UNTOLD = {"type": "no-info"}

_BRANCHES = _COMPOSITES | {
    "nullable", "default", "function-before", "function-after", "function-wrap", "model-fields", "model-field",
    "typed-dict-field", "definitions", "union",
}  # fmt: skip


@answers(if_unknown=False)
def is_json_safe(schema: Any) -> bool:
    """Whether both modes of Pydantic read a core schema alike."""
    return all(map(_is_safe, walk(schema)))


def _is_safe(node: Node) -> bool:
    schema = node.schema
    if schema.get("strict") or (schema.get("config") or {}).get("strict"):
        return False
    if node.kind == "union":
        return _is_union_safe(node.parts)
    if node.kind in _BRANCHES:
        return not _looks_at_mode(schema)
    return node.kind in (_JSON_NATIVE if node.in_union else _ALIKE)


def _is_union_safe(choices: Sequence[Schema]) -> bool:
    """Whether a union has at most one composite beside scalars, so that nothing competes for an object or array.

    Between two composites Pydantic counts fields and exact types, which differ by mode.
    """
    composites = [choice["type"] for choice in choices if choice["type"] not in _SCALARS]
    return len(composites) <= 1 and _COMPOSITES.issuperset(composites)


def _looks_at_mode(schema: Schema) -> bool:
    """Whether a validator gets its mode as an argument, or a model has its own `__init__`."""
    return bool(schema.get("custom_init")) or schema.get("function", _UNTOLD)["type"] != "no-info"
