"""Does a model have computed fields, which its serialized form has and its input has not?"""

from typing import Any

from slipstream._engine.schema.walk import answers, walk


@answers(if_unknown=False)
def has_computed_fields(schema: Any) -> bool:
    """Whether the model or dataclass of a core schema has computed fields; models inside it do not count."""
    return any(part.get("computed_fields") for part in next(walk(schema)).parts)
