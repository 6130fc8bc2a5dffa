"""Which results Pydantic's writer turns into the same bytes as `json`.

FastAPI turns a result without a response model into plain Python values and writes them by `json`. Pydantic's writer is
many times faster; its bytes differ for very large and very small floats, for keys that begin with `_sa` (FastAPI drops
them), and where a user's serializer runs. Which fields of a model may hold such values is read once from its class.
"""

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

from pydantic import BaseModel

from slipstream._engine.schema import ATOMS, odd_fields

_LOW, _HIGH = 1e-4, 1e16
"""The bounds between which Python writes floats without an exponent; Pydantic's writer has other bounds."""

Look: TypeAlias = Callable[[Any], tuple[Any, ...]]
"""Returns the fields of an instance that have to be looked at."""


def is_plain(value: Any) -> bool:
    """Whether Pydantic's writer gives the bytes that FastAPI sends for a result without a response model."""
    kind: Any = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or (key < "_sb" and key >= "_sa"):  # faster than startswith
                return False
            if type(item) not in ATOMS and not is_plain(item):
                return False
        return True
    if kind is list:
        return ATOMS.issuperset(map(type, value)) or all(map(is_plain, value))
    if kind is float:
        return bool(_LOW <= abs(value) < _HIGH or value == 0)
    if kind in ATOMS:
        return True
    look = _look_of(kind)
    return look is not None and all(map(is_plain, look(value)))


@lru_cache(maxsize=4096)
def _look_of(kind: type[Any]) -> Look | None:
    """Make the `Look` of a model; None for a class whose instances are not plain."""
    if not issubclass(kind, BaseModel) or kind.model_dump is not BaseModel.model_dump:
        return None
    names = odd_fields(getattr(kind, "__pydantic_core_schema__", None))
    if names is None:
        return None
    if kind.model_config.get("extra") == "allow":
        names.append("__pydantic_extra__")
    if not names:
        return lambda value: ()
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda value: (only(value),)
    return attrgetter(*names)
