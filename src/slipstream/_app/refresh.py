"""Notice that routes, overrides or exception handlers have changed, for one comparison a request.

Each change adds one to a number that the whole process shares. A `Latest` keeps a value together with the number at
which it was made, and makes it again when the number has moved.
"""

import sys
import threading
from abc import ABCMeta
from collections.abc import Callable
from functools import wraps
from types import FunctionType, ModuleType
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
        self.number += 1


class Lock:
    """A reentrant lock; a deep copy of an object that has one gets another."""

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
    """A value that is made again at the first `get` after a change, also after one while it was made."""

    def __init__(self, make: Callable[[], V]) -> None:
        self._make = make
        self._lock = Lock()
        self.seen = -1
        """The number of changes when `value` was made; -1 before the first `get` and after `expire`."""
        self.value: V

    def expire(self) -> None:
        """Have the next `get` make the value again, also if another thread is making it now."""
        with self._lock:
            self.seen = -1

    def get(self) -> V:
        """Return the value as of the last change."""
        if self.seen != version.number:
            with self._lock:
                seen = version.number
                if self.seen != seen:
                    self.value = self._make()
                    self.seen = seen
        return self.value


class Watched:
    """An attribute that counts as a change when it is set; `make` makes what is kept of what is set."""

    def __init__(self, make: Callable[[Any], Any] = lambda value: value) -> None:
        self._make = make

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[object] | None = None) -> Any:
        return self if instance is None else instance.__dict__[self._name]

    def __set__(self, instance: object, value: Any) -> None:
        instance.__dict__[self._name] = self._make(value)
        version.bump()


class WatchedModule(ModuleType):
    """A module that counts its changes: tools replace functions at run time."""


class WatchedClass(ABCMeta):
    """The class of a class that counts its changes.

    It is an ABCMeta only for programs that derive from `ABC` too, and has none of its costs.
    """

    __instancecheck__ = type.__instancecheck__
    __subclasscheck__ = type.__subclasscheck__


def is_as_written(cls: type, *names: str) -> bool:
    """Whether functions of another library's class, without names all, are those that its module has defined.

    Tools put theirs in their places at run time, perhaps before this package is imported.
    """
    own = vars(sys.modules[cls.__module__])
    found = [vars(cls).get(name) for name in names or vars(cls)]
    functions = [one for one in found if callable(one) and not isinstance(one, type)]
    return all(type(one) is FunctionType and one.__globals__ is own for one in functions)


class WatchedList(list[V]):
    """A list that counts its changes."""


class WatchedDict(dict[K, V]):
    """A dictionary that counts its changes."""


def _counted(change: F) -> F:
    @wraps(change)
    def change_and_count(*args: Any, **options: Any) -> Any:
        result = change(*args, **options)
        version.bump()
        return result

    return cast(F, change_and_count)


_CHANGES: dict[type[Any], str] = {
    WatchedList: "append extend insert remove pop clear sort reverse __setitem__ __delitem__ __iadd__ __imul__",
    WatchedDict: "update pop popitem clear setdefault __setitem__ __delitem__ __ior__",
    WatchedModule: "__setattr__",
    WatchedClass: "__setattr__ __delattr__",
}
for _cls, _names in _CHANGES.items():
    for _name in _names.split():
        setattr(_cls, _name, _counted(getattr(_cls, _name)))
