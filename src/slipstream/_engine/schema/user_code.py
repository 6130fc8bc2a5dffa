"""Can validation or serialization run code that a user wrote? If not, it may be done in any thread."""

from enum import Enum
from typing import Any

from slipstream._engine.schema.walk import PLAIN_KINDS, Node, answers, walk

_CALLED = (
    "serialization", "computed_fields", "default_factory", "custom_init", "post_init", "serialization_exclude_if",
)  # fmt: skip
"""Keys under which a schema has a function."""


@answers(if_unknown=True)
def may_run_user_code(schema: Any) -> bool:
    """Whether a core schema has a user's validator, serializer, default or type, or something unknown.

    Properties of objects from which a response model reads its fields may run code too, but do not count here.
    """
    return any(map(_may_run, walk(schema)))


def _may_run(node: Node) -> bool:
    schema = node.schema
    if node.kind not in PLAIN_KINDS or any(map(schema.get, _CALLED)):
        return True
    return node.keeps_extras or (node.kind == "enum" and _guesses(schema["cls"]))


def _guesses(enum: type[Enum]) -> bool:
    """Whether an enumeration has its own `_missing_`."""
    usual: Any = Enum._missing_
    return getattr(enum._missing_, "__func__", None) is not usual.__func__
