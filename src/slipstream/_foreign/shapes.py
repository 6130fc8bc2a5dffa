"""Whether a class of another library has the expected shape."""

import inspect
from typing import Any


def takes(cls: type, name: str, *given: Any, **named: Any) -> bool:
    """Whether a class has a method that takes such arguments."""
    try:
        inspect.signature(getattr(cls, name)).bind(cls, *given, **named)
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def has_attributes(cls: type, names: str) -> bool:
    """Whether the class, or its `__init__`, has all names."""
    starts = [vars(base)["__init__"] for base in cls.__mro__[:-1] if "__init__" in vars(base)]
    set_up = {name for start in starts if hasattr(start, "__code__") for name in start.__code__.co_names}
    return all(name in set_up or hasattr(cls, name) for name in names.split())
