"""Noticing that routes, overrides or handlers have changed, for the price of one comparison a request.

Whatever changes adds one to a number that the whole process shares; who has compiled something
remembers the number and looks again when it has moved.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any, SupportsIndex, TypeVar

K = TypeVar("K")
V = TypeVar("V")


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


class Watched:
    """An attribute that says when it is set."""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        return self if instance is None else instance.__dict__[self._name]

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = value
        version.bump()


class WatchedList(list[V]):
    """A list that says when it changes."""

    def append(self, item: V) -> None:
        super().append(item)
        version.bump()

    def extend(self, items: Iterable[V]) -> None:
        super().extend(items)
        version.bump()

    def insert(self, index: SupportsIndex, item: V) -> None:
        super().insert(index, item)
        version.bump()

    def remove(self, item: V) -> None:
        super().remove(item)
        version.bump()

    def pop(self, index: SupportsIndex = -1) -> V:
        item = super().pop(index)
        version.bump()
        return item

    def clear(self) -> None:
        super().clear()
        version.bump()

    def sort(self, **options: Any) -> None:
        super().sort(**options)
        version.bump()

    def reverse(self) -> None:
        super().reverse()
        version.bump()

    def __setitem__(self, index: Any, item: Any) -> None:
        super().__setitem__(index, item)
        version.bump()

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        version.bump()

    def __iadd__(self, items: Iterable[V]) -> "WatchedList[V]":  # type: ignore[misc, override]  # list's is overloaded
        self.extend(items)
        return self


class WatchedDict(dict[K, V]):
    """A dictionary that says when it changes."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        version.bump()

    def __delitem__(self, key: K) -> None:
        super().__delitem__(key)
        version.bump()

    def clear(self) -> None:
        super().clear()
        version.bump()

    def update(self, *args: Any, **kwargs: Any) -> None:
        super().update(*args, **kwargs)
        version.bump()

    def pop(self, *args: Any) -> Any:
        value = super().pop(*args)
        version.bump()
        return value

    def popitem(self) -> tuple[K, V]:
        item = super().popitem()
        version.bump()
        return item

    def setdefault(self, key: K, default: Any = None) -> Any:
        value = super().setdefault(key, default)
        version.bump()
        return value

    def __ior__(self, other: Mapping[K, V]) -> "WatchedDict[K, V]":  # type: ignore[misc, override]  # dict's is overloaded
        self.update(other)
        return self
