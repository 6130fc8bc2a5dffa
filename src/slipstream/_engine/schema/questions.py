"""The questions about Pydantic's core schemas, each with a safe answer for schemas that the walk does not know."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from slipstream._engine.schema.walk import PLAIN_KINDS, Node, Schema, answers, walk

_FUNCTIONS = frozenset({"function-before", "function-after", "function-wrap"})
_NAMED_AS_FIELDS = PLAIN_KINDS | _FUNCTIONS

_CALLED = (
    "serialization", "computed_fields", "default_factory", "custom_init", "post_init", "serialization_exclude_if",
)  # fmt: skip
"""Keys under which a schema has a function."""

_JSON_NATIVE = frozenset({"any", "none", "bool", "int", "float", "str"})
"""Leaves that both modes read alike inside a union too, where Pydantic compares how exactly a value matches."""

_ALIKE = _JSON_NATIVE | {"date", "time", "datetime", "uuid", "enum", "literal"}
"""Leaves that both modes read alike elsewhere, unless they are strict."""

_SCALARS = _JSON_NATIVE - {"any"}
_COMPOSITES = frozenset({"model", "typed-dict", "list", "dict", "definition-ref"})
_UNTOLD = {"type": "no-info"}
_BRANCHES = (
    _FUNCTIONS
    | _COMPOSITES
    | {"nullable", "default", "model-fields", "model-field", "typed-dict-field", "definitions", "union"}
)

ATOMS = frozenset({str, int, bool, type(None)})
"""Types whose values Pydantic's serializer and `json` write alike."""

_LEAVES = _SCALARS - {"float"} | {"date", "time", "datetime", "uuid", "url", "multi-host-url", "decimal"}
"""Kinds whose values are written as a string, a number, `true`, `false` or `null`."""

_WRAPPERS = _FUNCTIONS | {"nullable", "default", "list", "set", "frozenset"}

_AROUND_FIELDS = _FUNCTIONS | {"model", "model-fields", "definitions", "definition-ref"}
"""Kinds that may be between a model's schema and its fields."""

_OTHER_MODELS = frozenset({"model", "definition-ref"})
"""Kinds that are not entered, since a value of another model is examined by itself."""


@answers(if_unknown=False)
def has_computed_fields(schema: Any) -> bool:
    """Whether the model or dataclass of a core schema has computed fields; models inside it do not count."""
    return any(part.get("computed_fields") for part in next(walk(schema)).parts)


@answers(if_unknown=None)
def trusted_model(schema: Any) -> type[Any] | None:
    """Return the model of a core schema if its instances are not validated again, else None."""
    node = next(walk(schema))
    says = node.schema.get("revalidate_instances") or node.schema.get("config", {}).get("revalidate_instances")
    if node.kind != "model" or says not in (None, "never"):
        return None
    model: type[Any] = node.schema["cls"]
    return model


@answers(if_unknown=True)
def has_aliases(schema: Any) -> bool:
    """Whether a core schema has serialization aliases, or parts that may have them: `Any`, a user's serializer."""
    return any(
        node.kind not in _NAMED_AS_FIELDS
        or "serialization_alias" in node.schema
        or bool(node.schema.get("serialization") or node.schema.get("computed_fields") or node.keeps_extras)
        for node in walk(schema)
    )


@answers(if_unknown=True)
def may_run_user_code(schema: Any) -> bool:
    """Whether a core schema has a user's validator, serializer, default or type: else any thread may validate.

    Properties of objects from which a response model reads its fields may run code too, but do not count here.
    """
    usual: Any = Enum._missing_
    for node in walk(schema):
        if node.kind not in PLAIN_KINDS or any(map(node.schema.get, _CALLED)) or node.keeps_extras:
            return True
        if node.kind == "enum" and getattr(node.schema["cls"]._missing_, "__func__", None) is not usual.__func__:
            return True
    return False


@answers(if_unknown=False)
def is_json_safe(schema: Any) -> bool:
    """Whether both modes of Pydantic read a core schema alike, so that a body may be validated from its bytes.

    FastAPI parses JSON first and validates Python values. Pydantic can do both at once in a third of the time, but its
    JSON mode differs in places: a strict date accepts a string, a union may choose another member.
    """
    return all(map(_is_alike, walk(schema)))


def _is_alike(node: Node) -> bool:
    schema = node.schema
    if schema.get("strict") or (schema.get("config") or {}).get("strict"):
        return False
    if node.kind == "union":
        # Between two composites Pydantic counts fields and exact types, which differ by mode.
        composites = [choice["type"] for choice in node.parts if choice["type"] not in _SCALARS]
        return len(composites) <= 1 and _COMPOSITES.issuperset(composites)
    if node.kind in _BRANCHES:  # a validator with `info`, or a model's own `__init__`, may look at the mode
        return not schema.get("custom_init") and schema.get("function", _UNTOLD)["type"] == "no-info"
    return node.kind in (_JSON_NATIVE if node.in_union else _ALIKE)


@answers(if_unknown=True)
def may_nest(schema: Any) -> bool:
    """Whether values of a core schema may be nested to any depth."""
    return any(node.kind == "definition-ref" or _is_open(node) for node in walk(schema))


@answers(if_unknown=None)
def finite_schema(schema: Any) -> Any:
    """Return a copy of a core schema whose numbers are finite; None if it may hold more than its numbers say."""
    return None if any(map(_is_open, walk(schema))) else _finite(schema)


def _is_open(node: Node) -> bool:
    options = {**node.schema, **(node.schema.get("config") or {})}
    return node.kind not in PLAIN_KINDS or node.keeps_extras or bool(options.get("coerce_numbers_to_str"))


def _finite(part: Any) -> Any:
    if isinstance(part, (list, tuple)):
        return type(part)(map(_finite, part))
    if not isinstance(part, dict):
        return part
    copy = {key: value if key in ("default", "metadata") else _finite(value) for key, value in part.items()}
    return {**copy, "allow_inf_nan": False} if part.get("type") in ("float", "decimal") else copy


@answers(if_unknown=None)
def odd_fields(schema: Any) -> list[str] | None:
    """List the fields that Pydantic's serializer and `json` may write differently; None if user code may write."""
    for node in walk(schema, closed=frozenset({"model-fields"})):
        if node.kind not in _AROUND_FIELDS or "serialization" in node.schema:
            return None
        if node.schema.get("root_model"):
            return _odd({"root": node.schema["schema"]})
        if node.kind == "model-fields":
            break
    if node.schema.get("computed_fields"):
        return None
    fields: Mapping[str, Schema] = node.schema["fields"]
    for name, field in fields.items():  # FastAPI may leave a field out (SQLAlchemy's `_sa…`), or the user's condition
        if field.get("serialization_alias", name).startswith("_sa") or "serialization_exclude_if" in field:
            return None
    return _odd({name: field["schema"] for name, field in fields.items()})


def _odd(fields: Mapping[str, Any]) -> list[str] | None:
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
