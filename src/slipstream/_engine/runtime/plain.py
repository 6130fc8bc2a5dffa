"""Which results Pydantic's writer turns into the bytes that `json` would.

A result without a response model is, for FastAPI, first made of plain Python values, models by `model_dump`, and
then written by `json`. Pydantic's writer does both in one go, many times faster, and writes the same except: floats
beyond the usual, keys that begin with `_sa` (FastAPI drops them), and whatever a user's own serializer returns.
A model's class tells once which fields could hold any of that; of each instance only those are looked at.
"""

from collections.abc import Callable
from enum import Enum
from operator import attrgetter
from typing import Any, TypeAlias

from pydantic import BaseModel

_ATOMS = frozenset({str, int, bool, type(None)})
_LOW, _HIGH = 1e-4, 1e16
"""Where Python leaves and enters scientific notation; Pydantic's writer does so elsewhere."""

_LEAVES = frozenset(
    {"str", "int", "bool", "none", "date", "time", "datetime", "uuid", "url", "multi-host-url", "decimal"}
)
"""Kinds of schema whose values are written as a plain string, number or word."""

_WRAPPERS = frozenset(
    {"nullable", "default", "function-before", "function-after", "function-wrap", "list", "set", "frozenset"}
)

_MOST_CLASSES = 4096

Look: TypeAlias = Callable[[Any], tuple[Any, ...]]
"""Takes from an instance what has to be looked at."""

_looks: dict[type[Any], Look | None] = {}


def is_plain(value: Any) -> bool:
    """Whether Pydantic's writer gives the bytes that FastAPI sends for a result without a response model."""
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or (key < "_sb" and key >= "_sa"):  # faster than to cut the beginning out
                return False
            if type(item) not in _ATOMS and not is_plain(item):
                return False
        return True
    if kind is list:
        return _ATOMS.issuperset(map(type, value)) or all(map(is_plain, value))
    if kind is float:
        return bool(_LOW <= abs(value) < _HIGH or value == 0)
    return kind in _ATOMS or _is_plain_object(kind, value)


def _is_plain_object(kind: type[Any], value: Any) -> bool:
    try:
        look = _looks[kind]
    except KeyError:
        if len(_looks) >= _MOST_CLASSES:  # classes that come and go must not be kept for ever
            _looks.clear()
        look = _looks[kind] = look_of(kind)
    return look is not None and all(map(is_plain, look(value)))


def look_of(kind: type[Any]) -> Look | None:
    """Make the function that takes from a model's instances what has to be looked at; None for any other class."""
    if not issubclass(kind, BaseModel) or kind.model_dump is not BaseModel.model_dump:
        return None
    try:
        schema: Any = kind.__pydantic_core_schema__
        fields = _fields(schema)
    except (AttributeError, LookupError):  # a class that is not complete yet
        return None
    if fields is None:
        return None
    names = [name for name, inner in fields.items() if not is_ordinary(inner)]
    if kind.model_config.get("extra") == "allow":
        names.append("__pydantic_extra__")
    if not names:
        return _nothing
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda value: (only(value),)
    return attrgetter(*names)


def _nothing(value: Any) -> tuple[Any, ...]:
    return ()


def _fields(schema: Any) -> dict[str, Any] | None:
    """Find the schemas of a model's fields; None if something of the user's takes part in writing."""
    definitions = {item["ref"]: item for item in schema.get("definitions", ())}
    while schema["type"] != "model-fields":
        if _is_written_by_hand(schema):
            return None
        if schema["type"] == "definition-ref":
            schema = definitions[schema["schema_ref"]]
        elif schema.get("root_model"):
            return {"root": schema["schema"]}
        else:
            schema = schema["schema"]
    if schema.get("computed_fields") or _is_written_by_hand(schema):
        return None
    fields = schema["fields"].items()
    if any(_is_odd(name, field) or _has_serializer(field["schema"]) for name, field in fields):
        return None
    return {name: field["schema"] for name, field in fields}


def _is_odd(name: str, field: dict[str, Any]) -> bool:
    written = field.get("serialization_alias", name)
    return bool(written.startswith("_sa")) or "serialization_exclude_if" in field


def _is_written_by_hand(schema: dict[str, Any]) -> bool:
    return "serialization" in schema


def _has_serializer(schema: Any) -> bool:
    """Whether a serializer of its own stands in a field's schema; those of other models are judged with these."""
    if isinstance(schema, dict):
        if _is_written_by_hand(schema):
            return True
        if schema.get("type") in ("model", "definition-ref"):
            return False
        return any(_has_serializer(part) for key, part in schema.items() if key not in ("metadata", "default"))
    return isinstance(schema, (list, tuple)) and any(map(_has_serializer, schema))


def is_ordinary(schema: dict[str, Any]) -> bool:
    """Whether no value of a field has to be looked at."""
    kind = schema["type"]
    if kind in _LEAVES:
        return True
    if kind in _WRAPPERS:
        inner = schema.get("schema") or schema.get("items_schema")
        return inner is not None and is_ordinary(inner)
    if kind == "enum":
        return all(type(member.value if isinstance(member, Enum) else member) in _ATOMS for member in schema["members"])
    if kind == "literal":
        return _ATOMS.issuperset(map(type, schema["expected"]))
    return False
