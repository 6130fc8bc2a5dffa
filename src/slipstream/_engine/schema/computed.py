"""Does what is written have properties that what is read cannot have?"""

from typing import Any

from slipstream._engine.schema.walk import answers, walk


@answers(if_unknown=False)
def has_computed_fields(schema: Any) -> bool:
    """Whether the model or dataclass of a core schema has computed fields; those inside it are not looked at."""
    return any(part.get("computed_fields") for part in next(walk(schema)).parts)
