"""Which results Pydantic's writer turns into the bytes that `json` would.

A result without a response model is, for FastAPI, first made of plain Python values, models by `model_dump`, and
then written by `json`. Pydantic's writer does both in one go, many times faster, and writes the same except: floats
beyond the usual, keys that begin with `_sa` (FastAPI drops them), and whatever a user's own serializer returns.
A model's class tells once which fields could hold any of that; of each instance only those are looked at.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

from pydantic import BaseModel

from slipstream._engine.schema.odd_fields import ATOMS, odd_fields

_LOW, _HIGH = 1e-4, 1e16
"""Where Python leaves and enters scientific notation; Pydantic's writer does so elsewhere."""

_MOST_CLASSES = 4096

Look: TypeAlias = Callable[[Any], tuple[Any, ...]]
"""Takes from an instance what has to be looked at."""

_looks: dict[type[Any], Look | None] = {}


def is_plain(value: Any) -> bool:
    """Whether Pydantic's writer gives the bytes that FastAPI sends for a result without a response model."""
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or (key < "_sb" and key >= "_sa"):  # faster than to cut the beginning out
                return False
            if type(item) not in ATOMS and not is_plain(item):
                return False
        return True
    if kind is list:
        return ATOMS.issuperset(map(type, value)) or all(map(is_plain, value))
    if kind is float:
        return bool(_LOW <= abs(value) < _HIGH or value == 0)
    return kind in ATOMS or _is_plain_object(kind, value)


def _is_plain_object(kind: type[Any], value: Any) -> bool:
    try:
        look = _looks[kind]
    except KeyError:
        if len(_looks) >= _MOST_CLASSES:  # classes that come and go must not be kept for ever
            _looks.clear()
        look = _looks[kind] = look_of(kind)
    return look is not None and all(map(is_plain, look(value)))


def look_of(kind: type[Any]) -> Look | None:
    """Make the function that takes from a model's instances what has to be looked at; None for any other class."""
    if not issubclass(kind, BaseModel) or kind.model_dump is not BaseModel.model_dump:
        return None
    names = odd_fields(getattr(kind, "__pydantic_core_schema__", None))
    if names is None:
        return None
    if kind.model_config.get("extra") == "allow":
        names.append("__pydantic_extra__")
    if not names:
        return _nothing
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda value: (only(value),)
    return attrgetter(*names)


def _nothing(value: Any) -> tuple[Any, ...]:
    return ()
