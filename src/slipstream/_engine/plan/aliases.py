"""Can anything in a model be written under another name than its own? If not, nobody needs to be told which to use."""

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
        "definitions", "definition-ref", "function-before", "function-after", "function-wrap",
    }
)  # fmt: skip
_INNER = ("schema", "items_schema", "keys_schema", "values_schema")


def has_aliases(schema: Any) -> bool:
    """Whether a core schema has serialization aliases, or something that could: any value, a user's serializer."""
    if isinstance(schema, (list, tuple)):
        return any(has_aliases(part) for part in schema if not isinstance(part, str))
    kind = schema["type"]
    if kind in _LEAVES:
        return "serialization" in schema
    if kind not in _BRANCHES or schema.get("serialization") or schema.get("computed_fields"):
        return True
    if (schema.get("config") or {}).get("extra_fields_behavior") == "allow" or schema.get("extra_behavior") == "allow":
        return True
    fields = schema.get("fields", {}).values()
    if any("serialization_alias" in field for field in fields):
        return True
    inner = [schema[key] for key in _INNER if schema.get(key) is not None]
    inner += [field["schema"] for field in fields]
    return has_aliases([*inner, *schema.get("definitions", ()), *schema.get("choices", ())])
