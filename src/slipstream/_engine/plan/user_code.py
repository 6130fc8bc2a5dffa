"""Can validating or writing a value run code that a user wrote? If not, nobody can tell in which thread it is done."""

from enum import Enum
from typing import Any

_LEAVES = frozenset(
    {
        "none", "bool", "int", "float", "decimal", "str", "bytes", "date", "time", "datetime", "timedelta", "uuid",
        "url", "multi-host-url", "enum", "literal",
    }
)  # fmt: skip
_BRANCHES = frozenset(
    {
        "model", "model-fields", "nullable", "default", "list", "set", "frozenset", "tuple", "dict", "union",
        "definitions", "definition-ref",
    }
)  # fmt: skip
_INNER = ("schema", "items_schema", "keys_schema", "values_schema")
_CALLED = ("serialization", "computed_fields", "default_factory", "custom_init", "post_init")
"""What names a function, if it is there."""


def may_run_user_code(schema: Any) -> bool:
    """Whether a core schema has a validator, a serializer, a default or a value of a user's own, or something unknown.

    Attributes of a user's objects that are read for a response model may run code as well: that is not seen here.
    """
    if isinstance(schema, (list, tuple)):
        return any(may_run_user_code(part) for part in schema if not isinstance(part, str))
    kind = schema["type"]
    if kind not in _LEAVES and kind not in _BRANCHES:
        return True
    if any(schema.get(key) for key in _CALLED) or (kind == "enum" and _guesses(schema["cls"])):
        return True
    if (schema.get("config") or {}).get("extra_fields_behavior") == "allow" or schema.get("extra_behavior") == "allow":
        return True
    fields = schema.get("fields", {}).values()
    if any("serialization_exclude_if" in field for field in fields):
        return True
    inner = [schema[key] for key in _INNER if schema.get(key) is not None]
    inner += [field["schema"] for field in fields]
    return may_run_user_code([*inner, *schema.get("definitions", ()), *schema.get("choices", ())])


def _guesses(enum: type[Enum]) -> bool:
    """Whether an enumeration has a way of its own with values that it does not know."""
    usual: Any = Enum._missing_
    return getattr(enum._missing_, "__func__", None) is not usual.__func__
