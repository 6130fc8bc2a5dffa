"""Messages that are sent while a link is down, kept until it is up again. No I/O, no clock."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

OutboxPolicy: TypeAlias = Literal["drop_oldest", "refuse"]
"""What to do when the outbox is full: drop the oldest messages, or refuse the new one."""

DropReason: TypeAlias = Literal["full", "too large", "expired", "forgotten", "shutdown"]

_NONE: Any = ()  # an empty deque takes 0.7 KiB, and most outboxes are never used


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that waits, since `at` in monotonic seconds."""

    data: str | bytes
    at: float
    size: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message that will not be sent: why, its size in bytes, and the seconds that it has waited."""

    reason: DropReason
    size: int
    waited: float
    data: str | bytes = field(repr=False)


class Outbox:
    """At most so many messages, of `size` bytes in all, in the order in which they came, each for `ttl` seconds."""

    def __init__(self, messages: int, size: int, ttl: float | None, policy: OutboxPolicy) -> None:
        self._most, self._most_bytes, self._ttl, self.policy = messages, size, ttl, policy
        self._kept: deque[Kept] = _NONE
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, data: str | bytes, now: float) -> list[Dropped] | None:
        """Keep a message; return what was dropped for it, perhaps itself; None if it is refused."""
        gone = self.expire(now)
        new = Kept(data, now, len(data.encode()) if isinstance(data, str) else len(data))
        if self._most == 0 or new.size > self._most_bytes:
            if self.policy == "refuse":
                return None
            return [*gone, Dropped("too large" if self._most else "full", new.size, 0.0, data)]
        if self.policy == "refuse" and not self._has_room(new.size):
            return None
        while not self._has_room(new.size):
            gone.append(self._drop("full", now))
        if self._kept is _NONE:
            self._kept = deque()
        self._kept.append(new)
        self.size += new.size
        return gone

    def take(self, now: float) -> tuple[Kept | None, list[Dropped]]:
        """Take the oldest message that has not expired; return it, and those that have."""
        gone = self.expire(now)
        return (self._pop() if self._kept else None), gone

    def expire(self, now: float) -> list[Dropped]:
        """Drop the messages that have expired."""
        gone = []
        while self._ttl is not None and self._kept and now - self._kept[0].at > self._ttl:
            gone.append(self._drop("expired", now))
        return gone

    def clear(self, now: float, reason: DropReason = "shutdown") -> list[Dropped]:
        """Drop everything."""
        return [self._drop(reason, now) for _ in range(len(self._kept))]

    def _has_room(self, size: int) -> bool:
        return len(self._kept) < self._most and self.size + size <= self._most_bytes

    def _pop(self) -> Kept:
        message = self._kept.popleft()
        self.size -= message.size
        return message

    def _drop(self, reason: DropReason, now: float) -> Dropped:
        message = self._pop()
        return Dropped(reason, message.size, now - message.at, message.data)
