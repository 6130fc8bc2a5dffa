"""What is special about a whole model: computed fields, and instances that are not validated again."""

from typing import Any

from slipstream._engine.schema.walk import answers, walk


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
