"""Whether a class of another library has the shape that is expected."""

import inspect
from typing import Any


def takes(cls: type, name: str, *given: Any, **named: Any) -> bool:
    """Whether a method is there and takes such arguments."""
    try:
        inspect.signature(getattr(cls, name)).bind(cls, *given, **named)
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def has_attributes(cls: type, names: str) -> bool:
    """Whether all names are of the class, or are named where its instances are set up."""
    starts = [vars(base)["__init__"] for base in cls.__mro__[:-1] if "__init__" in vars(base)]
    set_up = {name for start in starts if hasattr(start, "__code__") for name in start.__code__.co_names}
    return all(name in set_up or hasattr(cls, name) for name in names.split())
