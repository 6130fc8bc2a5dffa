"""Can anything in a model be written under another name than its own? If not, nobody needs to be told which to use."""

from typing import Any

from slipstream._engine.schema.walk import PLAIN_KINDS, Node, answers, walk

_KINDS = PLAIN_KINDS | {"function-before", "function-after", "function-wrap"}


@answers(if_unknown=True)
def has_aliases(schema: Any) -> bool:
    """Whether a core schema has serialization aliases, or something that could: any value, a user's serializer."""
    return any(map(_may_have_alias, walk(schema)))


def _may_have_alias(node: Node) -> bool:
    schema = node.schema
    if node.kind not in _KINDS or "serialization_alias" in schema:
        return True
    return bool(schema.get("serialization") or schema.get("computed_fields") or node.keeps_extras)
