"""Noticing that routes, overrides or handlers have changed, for the price of one comparison a request.

Whatever changes adds one to a number that the whole process shares. What is made of routes, overrides and handlers is
a `Latest`: it keeps the number at which it was made, and is made again when that has moved.
"""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, TypeVar, cast

K = TypeVar("K")
V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])


class Version:
    """A number that only grows."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def bump(self) -> None:
        """Say that something has changed."""
        self.number += 1


class Lock:
    """A lock that one thread may take again, and that a copy of its owner does not share."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Lock":
        return Lock()


version = Version()
"""The number of changes to routes, overrides and exception handlers in this process."""


class Latest(Generic[V]):
    """What is made of things that may change: made when it is asked for and something has changed.

    Args:
        make: Makes it. A change that comes meanwhile has it made once more at the next time.
    """

    def __init__(self, make: Callable[[], V]) -> None:
        self._make = make
        self._lock = Lock()
        self.seen = -1
        """The number of changes when `value` was made; -1 if it has to be made again in any case."""
        self.value: V

    def get(self) -> V:
        """Return what holds now."""
        if self.seen != version.number:
            with self._lock:
                seen = version.number
                if self.seen != seen:
                    self.value = self._make()
                    self.seen = seen
        return self.value


class Watched:
    """An attribute that says when it is set."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[object] | None = None) -> Any:
        return self if instance is None else instance.__dict__[self._name]

    def __set__(self, instance: object, value: Any) -> None:
        instance.__dict__[self._name] = value
        version.bump()


class WatchedList(list[V]):
    """A list that says when it changes."""


class WatchedDict(dict[K, V]):
    """A dictionary that says when it changes."""


def _noticed(change: F) -> F:
    @wraps(change)
    def change_and_say(*args: Any, **options: Any) -> Any:
        result = change(*args, **options)
        version.bump()
        return result

    return cast(F, change_and_say)


_CHANGES: dict[type[Any], str] = {
    WatchedList: "append extend insert remove pop clear sort reverse __setitem__ __delitem__ __iadd__ __imul__",
    WatchedDict: "update pop popitem clear setdefault __setitem__ __delitem__ __ior__",
}
for _cls, _names in _CHANGES.items():
    for _name in _names.split():
        setattr(_cls, _name, _noticed(getattr(_cls, _name)))
