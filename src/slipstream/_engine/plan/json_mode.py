"""May a body be validated straight from its bytes?

FastAPI parses JSON first and validates Python values. Pydantic can do both at once, in a third of
the time, but its JSON mode is more lenient in places: a strict date takes a string, a union may
choose otherwise. Where the two modes could differ, the body is parsed first.
"""

from typing import Any

_ALIKE = frozenset(
    {
        "any", "none", "bool", "int", "float", "str", "date", "time", "datetime", "uuid", "enum", "literal",
    }
)  # fmt: skip
"""Leaves that both modes read alike, unless they are strict."""

_JSON_NATIVE = frozenset({"any", "none", "bool", "int", "float", "str"})
"""Leaves that both modes read alike inside a union too, where the exactness of a match counts."""

_SCALARS = frozenset({"none", "bool", "int", "float", "str"})
_COMPOSITES = frozenset({"model", "typed-dict", "list", "dict", "definition-ref"})

_WRAPPERS = frozenset(
    {"nullable", "default", "function-before", "function-after", "function-wrap", "model", "definitions"}
)


def is_json_safe(schema: Any) -> bool:
    """Whether both modes of Pydantic read a core schema alike."""
    definitions = {item["ref"]: item for item in schema.get("definitions", ())} if isinstance(schema, dict) else {}
    return _Walk(definitions).is_safe(schema, _ALIKE)


class _Walk:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self.definitions = definitions
        self.seen: set[tuple[str, bool]] = set()

    def is_safe(self, schema: dict[str, Any], leaves: frozenset[str]) -> bool:
        """Check a schema and all beneath it; `leaves` are the types that may stand at its ends."""
        kind = schema["type"]
        if schema.get("strict") or (schema.get("config") or {}).get("strict"):
            return False
        if kind in leaves:
            return True
        if kind == "definition-ref":
            return self._is_reference_safe(schema["schema_ref"], leaves)
        if kind in ("list", "dict"):
            parts = [schema.get(key) for key in ("items_schema", "keys_schema", "values_schema")]
            return all(self.is_safe(part, leaves) for part in parts if part)
        if kind == "union":
            return self._is_union_safe(
                [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
            )
        if kind in ("model-fields", "typed-dict"):
            return self._are_fields_safe(schema, leaves)
        if kind in _WRAPPERS:
            return not _looks_at_mode(schema) and self.is_safe(schema["schema"], leaves)
        return False

    def _is_union_safe(self, choices: list[dict[str, Any]]) -> bool:
        """Check a union: beside plain scalars, one composite at most, so that nothing competes for an object or array.

        Between two models, or a model and a dict, Pydantic counts fields and exact types, which differ by mode.
        """
        composites = [choice for choice in choices if choice["type"] not in _SCALARS]
        if len(composites) > 1 or any(choice["type"] not in _COMPOSITES for choice in composites):
            return False
        return all(self.is_safe(choice, _JSON_NATIVE) for choice in choices)

    def _are_fields_safe(self, schema: dict[str, Any], leaves: frozenset[str]) -> bool:
        extras = [schema[key] for key in ("extras_schema", "extras_keys_schema") if key in schema]
        fields = [field["schema"] for field in schema["fields"].values()]
        return all(self.is_safe(part, leaves) for part in (*fields, *extras))

    def _is_reference_safe(self, reference: str, leaves: frozenset[str]) -> bool:
        key = (reference, leaves is _JSON_NATIVE)
        if key in self.seen:  # a model that holds itself: judged where it was met first
            return True
        self.seen.add(key)
        target = self.definitions.get(reference)
        return target is not None and self.is_safe(target, leaves)


def _looks_at_mode(schema: dict[str, Any]) -> bool:
    """Whether a validator is told which mode it runs in, or a model makes itself."""
    function = schema.get("function")
    told = isinstance(function, dict) and function.get("type") == "with-info"
    return told or bool(schema.get("custom_init"))
