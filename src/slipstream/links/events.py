"""What can be told of an event: its id, and what is wrong with a message that is none."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from slipstream.links.redact import printable
from slipstream.links.setup import EventId


def id_of(event: Any, where: EventId | None) -> Any:
    """Read an event's id; None where it has none."""
    if where is None:
        return None
    if callable(where):
        return where(event)
    for name in where.split("."):
        event = event.get(name) if isinstance(event, Mapping) else getattr(event, name, None)
        if event is None:
            return None
    return event


def told_without_input(error: ValueError) -> str:
    """Describe what is wrong with a message without quoting it: it may hold secrets."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'message'}: {each['msg']}" for each in found[:3])
    else:
        text = str(error) if type(error) is ValueError else type(error).__name__
    return printable(text)
