"""The id of an event, and what is wrong with a message that is no event."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from slipstream.links.redact import printable
from slipstream.links.setup import Field

MISSING = object()
"""What `field_of` returns where there is no such field."""


def id_of(event: Any, where: Field | None) -> Any:
    """Return an event's id; None if it has none."""
    if where is None:
        return None
    found = where(event) if callable(where) else field_of(event, where)
    return None if found is MISSING else found


def field_of(value: Any, where: str) -> Any:
    """Return the field that a name such as "data.id" leads to: None past a null, `MISSING` if there is none."""
    for name in where.split("."):
        value = value.get(name, MISSING) if isinstance(value, Mapping) else getattr(value, name, MISSING)
        if value is MISSING or value is None:
            break
    return value


def described_without_input(error: ValueError) -> str:
    """Describe what is wrong with a message without quoting it: it may hold secrets."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'message'}: {each['msg']}" for each in found[:3])
    else:
        text = str(error) if type(error) is ValueError else type(error).__name__
    return printable(text)
