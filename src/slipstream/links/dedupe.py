"""A window over the ids of the latest events, to skip what a peer sends twice. No I/O, no clock."""

from collections.abc import Hashable


class DedupeWindow(dict[Hashable, None]):
    """The latest `size` different ids; with 0, nothing counts as seen."""

    __slots__ = ("_size",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def add(self, event_id: Hashable) -> bool:
        """Remember an id; return whether it is new. A known id leaves the window only after `size` others again."""
        if self._size == 0:
            return True
        is_new = event_id not in self
        self.pop(event_id, None)
        self[event_id] = None
        if len(self) > self._size:
            del self[next(iter(self))]
        return is_new

    def discard(self, event_id: Hashable) -> None:
        """Forget an id, as after an event that could not be kept."""
        self.pop(event_id, None)
