"""Handlers of links: a function of the program, its parameters filled as `slipstream.handlers` says."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from operator import methodcaller
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from slipstream.handlers import EventHandler, UnfitHandler, UnresolvedAnnotation
from slipstream.links.errors import WrongHandler
from slipstream.links.redact import printable
from slipstream.links.setup import Field

_scope_of = methodcaller("scope")

MISSING = object()
"""What `field_of` returns where there is no such field."""


class Handler:
    """A function that handles the events of a link, or, without a parameter for events, a whole connection.

    `overrides` returns the object whose `dependency_overrides` hold.
    """

    def __init__(self, function: Callable[..., Any], link: str, overrides: Callable[[], Any]) -> None:
        written = function.func if isinstance(function, partial) else function
        self.name = getattr(written, "__qualname__", repr(written))
        self._link = link
        self.is_settled = False
        try:
            self._handler = EventHandler(function, f"EVENT {link}", overrides)
            with suppress(UnresolvedAnnotation, NameError):
                self._read()
        except UnfitHandler as error:
            raise WrongHandler(link, self.name, error.claim) from error

    def settle(self) -> None:
        """Read annotations with names that were not defined when the function was decorated; raise `WrongHandler`."""
        try:
            self._read()
        except (UnresolvedAnnotation, NameError, UnfitHandler) as error:
            raise WrongHandler(self._link, self.name, getattr(error, "claim", str(error))) from error

    def _read(self) -> None:
        if self.is_settled:
            return
        annotation = self._handler.event
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        self._adapter.rebuild()  # raises for a name that is unknown, which the constructor leaves for later
        self._is_raw = (get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation) in (str, bytes)
        self.is_settled = True

    @property
    def is_conversation(self) -> bool:
        """Whether it holds a whole connection and reads the messages itself."""
        return self._handler.event is None

    def read(self, raw: str | bytes) -> Any:
        """Make an event of a message: its JSON, or itself where `str` or `bytes` is asked for; raise `ValueError`."""
        if self._is_raw:
            wants_text = self._adapter.core_schema["type"] == "str"
            if isinstance(raw, bytes):
                return self._adapter.validate_python(raw.decode() if wants_text else raw)
            return self._adapter.validate_python(raw if wants_text else raw.encode())
        return self._adapter.validate_json(raw)

    def read_value(self, value: Any) -> Any:
        """Make an event of parsed JSON."""
        return self._adapter.validate_python(value)

    def run(self, connection: object, event: Any = None) -> Awaitable[Any]:
        """Call the function, after everything that it depends on."""
        return self._handler.handle(connection, event, _scope_of)


def parsed(raw: str | bytes) -> Any:
    """Parse JSON; raise `ValueError` for any other text."""
    return from_json(raw, allow_inf_nan=False)


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
