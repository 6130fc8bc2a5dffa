"""What a session remembers of a peer: the ids of the latest events, and the calls that wait for replies. No I/O."""

import asyncio
from collections.abc import Hashable
from typing import Any


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


class PendingCalls:
    """Replies by the id of their call; of calls that were given up, the latest `late` are remembered."""

    __slots__ = ("_given_up", "_last", "_waiting")

    def __init__(self, late: int = 1024) -> None:
        self._waiting: dict[Hashable, tuple[asyncio.Future[Any], object]] = {}
        self._given_up = DedupeWindow(late)
        self._last = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def expects_replies(self) -> bool:
        """Whether a message might be a reply, in time or late."""
        return bool(self._waiting) or len(self._given_up) > 0

    def new_id(self) -> str:
        """Return an id that no other call has, nor had lately."""
        while True:
            self._last += 1
            made = str(self._last)
            if made not in self._waiting and made not in self._given_up:
                return made

    def open(self, call_id: Hashable, connection: object = None) -> "asyncio.Future[Any]":
        """Return a future for a reply, which the end of the connection fails; raise `ValueError` if its id is taken."""
        if call_id in self._waiting:
            raise ValueError(f"a call with the id {call_id!r} is waiting already")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = future, connection
        return future

    def resolve(self, call_id: Hashable, reply: Any) -> bool:
        """Give a reply to its call; return whether there is or was such a call."""
        waiting = self._waiting.pop(call_id, None)
        if waiting is None:
            return call_id in self._given_up
        future, _ = waiting
        if not future.done():
            future.set_result(reply)
        return True

    def give_up(self, call_id: Hashable) -> None:
        """Wait no longer; a late reply is ignored."""
        if self._waiting.pop(call_id, None) is not None:
            self._given_up.add(call_id)

    def fail(self, error: Exception, connection: object = None) -> int:
        """Fail every call of a connection; return how many."""
        ids = [call_id for call_id, (_, carrier) in self._waiting.items() if carrier is connection]
        for call_id in ids:
            future, _ = self._waiting.pop(call_id)
            if not future.done():
                future.set_exception(error)
                future.exception()  # seen: the caller may have failed already, when it sent
        return len(ids)
