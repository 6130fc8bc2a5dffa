"""A window over the ids of the latest events, to skip what a peer sends twice. No I/O, no clock."""

from collections.abc import Hashable


class DedupeWindow:
    """The latest `size` different ids; with 0, nothing counts as seen."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: dict[Hashable, None] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, event_id: Hashable) -> bool:
        return event_id in self._ids

    def add(self, event_id: Hashable) -> bool:
        """Remember an id; return whether it is new. A known id leaves the window only after `size` others again."""
        if self._size == 0:
            return True
        is_new = event_id not in self._ids
        self._ids.pop(event_id, None)
        self._ids[event_id] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]
        return is_new

    def discard(self, event_id: Hashable) -> None:
        """Forget an id, as after an event that could not be kept."""
        self._ids.pop(event_id, None)
