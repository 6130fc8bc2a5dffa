"""Can validating or writing a value run code that a user wrote? If not, nobody can tell in which thread it is done."""

from enum import Enum
from typing import Any

from slipstream._engine.schema.walk import PLAIN_KINDS, Node, answers, walk

_CALLED = (
    "serialization", "computed_fields", "default_factory", "custom_init", "post_init", "serialization_exclude_if",
)  # fmt: skip
"""What names a function, if it is there."""


@answers(if_unknown=True)
def may_run_user_code(schema: Any) -> bool:
    """Whether a core schema has a validator, a serializer, a default or a value of a user's own, or something unknown.

    Attributes of a user's objects that are read for a response model may run code as well: that is not seen here.
    """
    return any(map(_may_run, walk(schema)))


def _may_run(node: Node) -> bool:
    schema = node.schema
    if node.kind not in PLAIN_KINDS or any(map(schema.get, _CALLED)):
        return True
    return node.keeps_extras or (node.kind == "enum" and _guesses(schema["cls"]))


def _guesses(enum: type[Enum]) -> bool:
    """Whether an enumeration has a way of its own with values that it does not know."""
    usual: Any = Enum._missing_
    return getattr(enum._missing_, "__func__", None) is not usual.__func__
