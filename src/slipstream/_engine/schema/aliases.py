"""Can the serialized form of a value have other names than the fields? If not, `by_alias` makes no difference."""

from typing import Any

from slipstream._engine.schema.walk import PLAIN_KINDS, Node, answers, walk

_KINDS = PLAIN_KINDS | {"function-before", "function-after", "function-wrap"}


@answers(if_unknown=True)
def has_aliases(schema: Any) -> bool:
    """Whether a core schema has serialization aliases, or parts that may have them: `Any`, a user's serializer."""
    return any(map(_may_have_alias, walk(schema)))


def _may_have_alias(node: Node) -> bool:
    schema = node.schema
    if node.kind not in _KINDS or "serialization_alias" in schema:
        return True
    return bool(schema.get("serialization") or schema.get("computed_fields") or node.keeps_extras)
