"""Which instances does Pydantic accept without validating their fields?"""

from typing import Any

from slipstream._engine.schema.walk import answers, walk


@answers(if_unknown=None)
def trusted_model(schema: Any) -> type[Any] | None:
    """Return the model of a core schema if its instances are not validated again, else None."""
    node = next(walk(schema))
    says = node.schema.get("revalidate_instances") or node.schema.get("config", {}).get("revalidate_instances")
    if node.kind != "model" or says not in (None, "never"):
        return None
    model: type[Any] = node.schema["cls"]
    return model
