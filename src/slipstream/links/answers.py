"""What a poll brought, and where events and cursor stand in it. No I/O."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from slipstream.links.events import MISSING, field_of, id_of


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll brought.

    Args:
        status: HTTP status.
        headers: Headers.
        content: Body, decompressed.
        took: Seconds from request to answer.
        url: Where it came from, after redirects.
        data: The body as JSON; None if it is none.
    """

    status: int
    headers: httpx2.Headers
    content: bytes
    took: float
    url: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How answers are read; see `Links.poll`."""

    events: str | Callable[[Answer], Any] | None = None
    cursor: str | Callable[[Answer], Any] | None = None
    cursor_param: str | None = None
    on_cursor: Callable[[Any], Any] | None = None
    overlap: int = 0

    def events_in(self, answer: Answer) -> Sequence[Any]:
        """List the events of an answer; none where the field is null or missing (see `missing_in`).

        Raises:
            ValueError: They are not where they should be.
        """
        if self.events is None:
            return [answer.content] if answer.content else []
        found = self.events(answer) if callable(self.events) else id_of(answer.data, self.events)
        if found is None and answer.data is not None:
            return []
        if not isinstance(found, Iterable) or isinstance(found, str | bytes | dict):
            raise ValueError("there is no list of events where it should be")
        return list(found)

    def missing_in(self, answer: Answer) -> list[str]:
        """List the fields that `events` and `cursor` name and a JSON answer lacks; null is not missing."""
        names = [name for name in (self.events, self.cursor) if isinstance(name, str)]
        return [name for name in names if answer.data is not None and field_of(answer.data, name) is MISSING]

    def cursor_in(self, answer: Answer) -> Any:
        """Read the next cursor; None where there is none."""
        return self.cursor(answer) if callable(self.cursor) else id_of(answer.data, self.cursor)
