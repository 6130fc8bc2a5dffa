"""Options of `Path()`, `Query()`, `Header()`, `Cookie()`, `Body()`, `Form()` and `File()`."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, AliasPath, AnyUrl, Discriminator
from typing_extensions import TypedDict, deprecated as deprecation

from slipstream._options.unpack import Otherwise


class Example(TypedDict, total=False):
    """One example of a value, as OpenAPI documents show it; extension keys (`x-…`) may be added."""

    summary: str | None
    """A few words, shown in a list of examples."""

    description: str | None
    """Longer text, in Markdown."""

    value: Any | None
    """The example itself."""

    externalValue: AnyUrl | None
    """Where to find it, instead of `value`."""

    __pydantic_config__ = {"extra": "allow"}  # type: ignore[misc]  # Pydantic's way to configure a TypedDict


class ValueOptions(TypedDict, total=False):
    """Options of a value in a request; `_Unset`, their default unless another is given, leaves one to Pydantic."""

    default_factory: Callable[[], Any] | None
    """Returns the value for a request without one; called without arguments."""

    alias: str | None
    """Name in the request and in the documentation; the parameter's by default."""

    alias_priority: int | None
    """Whether an alias generator may replace the alias: 1 yes, 2 (or None with an alias) no."""

    validation_alias: str | AliasPath | AliasChoices | None
    """Name or names to read from the request; `alias` if not given."""

    serialization_alias: str | None
    """Name to write; `alias` if not given."""

    title: str | None
    """Title in the JSON Schema; made from the name if not given."""

    description: str | None
    """Description in the documentation, in Markdown."""

    gt: Annotated[float | None, Otherwise()]
    """The value is greater than this."""

    ge: Annotated[float | None, Otherwise()]
    """The value is this or greater."""

    lt: Annotated[float | None, Otherwise()]
    """The value is less than this."""

    le: Annotated[float | None, Otherwise()]
    """The value is this or less."""

    min_length: Annotated[int | None, Otherwise()]
    """Fewest characters or items."""

    max_length: Annotated[int | None, Otherwise()]
    """Most characters or items."""

    pattern: Annotated[str | re.Pattern[str] | None, Otherwise()]
    """Regular expression that a string has to match somewhere; anchor it to match the whole."""

    regex: Annotated[str | None, Otherwise()]
    """Old name of `pattern`; warns."""

    discriminator: str | Discriminator | None
    """Field whose value chooses the member of a union."""

    strict: bool | None
    """Refuse values of another type instead of converting them."""

    validate_default: bool | None
    """Check the default too, as if the request had carried it."""

    union_mode: Literal["smart", "left_to_right"] | None
    """How a union picks its member: the best fit, or the first that accepts."""

    fail_fast: bool | None
    """Stop at the first bad item of a collection."""

    multiple_of: float | None
    """The value is a multiple of this."""

    allow_inf_nan: bool | None
    """Accept infinities and NaN as a float."""

    max_digits: int | None
    """Most digits of a decimal number, leading zeros not counted."""

    decimal_places: int | None
    """Most digits after the decimal point, trailing zeros not counted."""

    examples: list[Any] | None
    """Example values, in the JSON Schema."""

    example: Any | None
    """One example value, as before OpenAPI 3.1; use `examples`. Warns."""

    openapi_examples: Annotated[dict[str, Example] | None, Otherwise()]
    """Named examples, in the OpenAPI document rather than in the JSON Schema."""

    deprecated: deprecation | str | bool | None
    """Mark the value as deprecated in the documentation."""

    include_in_schema: Annotated[bool, Otherwise(True)]
    """Whether the documentation shows it."""

    json_schema_extra: dict[str, Any] | Callable[[dict[str, Any]], None] | None
    """Keys to add to the JSON Schema, or a function that changes it in place."""


NOT_PYDANTIC: Final = frozenset({"regex", "example", "openapi_examples", "include_in_schema"})
"""Options that Pydantic does not have."""
