"""Answers questions about Pydantic's core schemas. Knows no HTTP.

One walk goes through all schemas. It does not know those of other releases, nor of incomplete models; each question has
a safe answer for them.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import wraps
from typing import Any, NamedTuple, TypeVar

_PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "any", "none", "bool", "int", "float", "decimal", "fraction", "complex", "str", "bytes", "date", "time",
            "datetime", "timedelta", "literal", "enum", "ellipsis", "is-instance", "is-subclass", "callable", "uuid",
            "url", "multi-host-url", "function-plain", "definition-ref",
        ),
        (),
    ),
    **dict.fromkeys(("list", "deque", "tuple", "set", "frozenset", "generator"), ("items_schema",)),
    **dict.fromkeys(("dict", "frozendict", "ordered-dict", "counter"), ("keys_schema", "values_schema")),
    **dict.fromkeys(("union", "tagged-union"), ("choices",)),
    **dict.fromkeys(
        (
            "function-before", "function-after", "function-wrap", "default", "nullable", "missing-sentinel", "model",
            "model-field", "typed-dict-field", "dataclass", "dataclass-field", "named-tuple-field", "custom-error",
            "json", "definitions",
        ),
        ("schema",),
    ),
    **dict.fromkeys(("model-fields", "typed-dict"), ("fields", "extras_schema", "extras_keys_schema")),
    **dict.fromkeys(("dataclass-args", "named-tuple"), ("fields",)),
    "chain": ("steps",),
    "lax-or-strict": ("lax_schema", "strict_schema"),
    "json-or-python": ("json_schema", "python_schema"),
}  # fmt: skip
"""The kinds of schema, and the keys of the schemas inside each; schemas of function arguments are left out."""

PLAIN_KINDS = frozenset(
    {
        "none", "bool", "int", "float", "decimal", "str", "bytes", "date", "time", "datetime", "timedelta", "uuid",
        "url", "multi-host-url", "enum", "literal", "model", "model-fields", "model-field", "nullable", "default",
        "list", "set", "frozenset", "tuple", "dict", "union", "definitions", "definition-ref",
    }
)  # fmt: skip
"""Kinds whose values Pydantic's own code validates and serializes, unless a key of the schema has a function."""

_SEVERAL = frozenset({"fields", "choices", "steps"})
"""Keys with a list of schemas, or schemas by name; a union's choice may be a pair of schema and label."""

_OTHER_KEYS = frozenset(
    {
        # of every kind
        "type", "ref", "metadata", "serialization", "strict", "config",
        # limits of values
        "multiple_of", "le", "ge", "lt", "gt", "allow_inf_nan", "max_digits", "decimal_places", "pattern",
        "regex_engine", "max_length", "min_length", "strip_whitespace", "to_lower", "to_upper", "ascii_only",
        "coerce_numbers_to_str", "now_op", "now_utc_offset", "tz_constraint", "microseconds_precision", "version",
        "expected", "members", "sub_type", "missing", "variadic_item_index", "fail_fast",
        "allowed_schemes", "host_required", "default_host", "default_port", "default_path",
        # choices, defaults, functions
        "auto_collapse", "mode", "discriminator", "from_attributes", "custom_error_type", "custom_error_message",
        "custom_error_context", "default", "default_factory", "default_factory_takes_data", "on_error",
        "validate_default", "copy_default", "function", "json_schema_input_schema",
        # classes and their fields
        "cls", "cls_name", "cls_repr", "generic_origin", "custom_init", "root_model", "post_init",
        "revalidate_instances", "frozen", "extra_behavior", "model_name", "dataclass_name", "slots", "total",
        "collect_init_only", "computed_fields", "name", "required", "kw_only", "init", "init_only", "validation_alias",
        "serialization_alias", "serialization_exclude", "serialization_exclude_if",
        # definitions
        "definitions", "schema_ref",
    }
)  # fmt: skip

_OPTIONS = frozenset(
    {
        "title", "strict", "extra_fields_behavior", "typed_dict_total", "from_attributes", "loc_by_alias",
        "revalidate_instances", "validate_default", "str_max_length", "str_min_length", "str_strip_whitespace",
        "str_to_lower", "str_to_upper", "allow_inf_nan", "ser_json_timedelta", "ser_json_temporal", "ser_json_bytes",
        "ser_json_inf_nan", "val_json_bytes", "hide_input_in_errors", "validation_error_cause",
        "coerce_numbers_to_str", "regex_engine", "cache_strings", "validate_by_alias", "validate_by_name",
        "serialize_by_alias", "polymorphic_serialization", "url_preserve_empty_path",
    }
)  # fmt: skip
"""Keys of a schema's configuration."""

_KEYS = {kind: _OTHER_KEYS.union(parts) for kind, parts in _PARTS.items()}
_KEYS["dataclass"] |= {"fields"}  # names, not schemas

_MOST_ANSWERS = 1024
"""How many answers to one question are kept; a bound, since a program may make models as long as it runs."""

Schema = Mapping[str, Any]
T = TypeVar("T")
U = TypeVar("U")


class UnknownSchema(Exception):
    """A schema has a kind, a key or a shape that this module does not know."""


class Node(NamedTuple):
    """A schema in the walk; fields of models are nodes too, of kinds such as "model-field"."""

    kind: str
    schema: Schema
    parts: list[Schema]
    """The schemas directly inside; of a "definition-ref" the definition."""
    in_union: bool
    """Whether a schema around it, at any depth, is a union."""

    @property
    def keeps_extras(self) -> bool:
        """Whether a model keeps values that have no field, which may be anything."""
        says = (self.schema.get("config") or {}).get("extra_fields_behavior")
        return says == "allow" or self.schema.get("extra_behavior") == "allow"


def walk(schema: Any, *, closed: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Yield a core schema and all inside it but for `closed` kinds: each once, or once in and once outside unions."""
    definitions: dict[str, Any] = {}
    visited: set[tuple[int, bool]] = set()
    waiting: list[tuple[Any, bool]] = [(schema, False)]
    while waiting:
        schema, in_union = waiting.pop()
        if (id(schema), in_union) in visited:
            continue
        visited.add((id(schema), in_union))
        kind = _kind_of(schema)
        if kind == "definitions":
            definitions.update((item["ref"], item) for item in schema["definitions"])
        parts = [] if kind in closed else _parts_of(kind, schema, definitions)
        yield Node(kind, schema, parts, in_union)
        in_union = in_union or kind in ("union", "tagged-union")
        waiting += [(part, in_union) for part in parts]


def _kind_of(schema: Any) -> str:
    if not isinstance(schema, (dict, Mapping)):  # `dict` makes the check fast
        raise UnknownSchema(f"not a schema: {schema!r}")
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise UnknownSchema(f"kind {kind!r}")
    if not _KEYS[kind] >= schema.keys():
        raise UnknownSchema(f"keys of {kind}: {sorted(schema.keys() - _KEYS[kind])}")
    if "config" in schema and not schema["config"].keys() <= _OPTIONS:
        raise UnknownSchema(f"options of {kind}: {sorted(schema['config'].keys() - _OPTIONS)}")
    return kind


def _parts_of(kind: str, schema: Schema, definitions: Mapping[str, Schema]) -> list[Schema]:
    if kind == "definition-ref":
        return [definitions[schema["schema_ref"]]]
    parts: list[Schema] = []
    for key in _PARTS[kind]:
        if key not in schema:
            continue
        inside = schema[key]
        if key not in _SEVERAL and kind != "tuple":
            parts.append(inside)
        elif isinstance(inside, Mapping):
            parts += inside.values()
        else:
            parts += [part[0] if isinstance(part, tuple) else part for part in inside]
    return parts


def answers(*, if_unknown: U) -> Callable[[Callable[[Any], T]], Callable[[Any], T | U]]:
    """Decorate a question about a schema: cache its answers, and return `if_unknown` where it raises."""

    def decorate(question: Callable[[Any], T]) -> Callable[[Any], T | U]:
        answered: dict[int, tuple[Any, T | U]] = {}  # by id; the entry keeps the schema alive

        @wraps(question)
        def answer(schema: Any) -> T | U:
            known = answered.get(id(schema))
            if known is not None:
                return known[1]
            found: T | U
            try:
                found = question(schema)
            except Exception:  # a foreign schema may have any shape; that of an incomplete model raises
                found = if_unknown
            if type(schema) is dict:  # an incomplete model's is not, and may be complete next time
                if len(answered) >= _MOST_ANSWERS:
                    answered.clear()
                answered[id(schema)] = schema, found
            return found

        return answer

    return decorate


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
