"""Any Python object → what `json.dumps` takes.

The slow and general way. Values that have a declared type are written straight from Pydantic instead.
"""

import dataclasses
import datetime
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path, PurePath
from re import Pattern
from types import GeneratorType
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic.networks import AnyUrl, NameEmail
from pydantic.types import SecretBytes, SecretStr
from pydantic_core import PydanticUndefinedType, Url

from slipstream._engine.signature.annotations import is_pydantic_v1
from slipstream.exceptions import PydanticV1NotSupportedError
from slipstream.types import IncEx


def isoformat(o: datetime.date | datetime.time) -> str:
    """Write a date or a time as ISO 8601."""
    return o.isoformat()


def decimal_encoder(dec_value: Decimal) -> int | float:
    """Turn a decimal without decimal places into an int, any other (also NaN and infinities) into a float."""
    exponent = dec_value.as_tuple().exponent
    return int(dec_value) if isinstance(exponent, int) and exponent >= 0 else float(dec_value)


ENCODERS_BY_TYPE: dict[type[Any], Callable[[Any], Any]] = {
    bytes: lambda o: o.decode(),
    datetime.date: isoformat,
    datetime.datetime: isoformat,
    datetime.time: isoformat,
    datetime.timedelta: lambda o: o.total_seconds(),
    Decimal: decimal_encoder,
    Enum: lambda o: o.value,
    **dict.fromkeys((frozenset, deque, GeneratorType, set), list),
    **dict.fromkeys((IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network), str),
    **dict.fromkeys((NameEmail, Path, SecretBytes, SecretStr, UUID, Url, AnyUrl), str),
    Pattern: lambda o: o.pattern,
}
"""How objects of a type are encoded; add to it to teach the encoder types of your own."""

_COLOR_MODULES = ("pydantic.color", "pydantic_extra_types.color")


def generate_encoders_by_class_tuples(
    type_encoder_map: dict[Any, Callable[[Any], Any]],
) -> dict[Callable[[Any], Any], tuple[Any, ...]]:
    """Turn type → encoder around: encoder → the types it is for."""
    types_of: dict[Callable[[Any], Any], tuple[Any, ...]] = defaultdict(tuple)
    for type_, encoder in type_encoder_map.items():
        types_of[encoder] += (type_,)
    return types_of


encoders_by_class_tuples = generate_encoders_by_class_tuples(ENCODERS_BY_TYPE)


def jsonable_encoder(
    obj: Any,
    include: IncEx | None = None,
    exclude: IncEx | None = None,
    by_alias: bool = True,
    exclude_unset: bool = False,
    exclude_defaults: bool = False,
    exclude_none: bool = False,
    custom_encoder: dict[Any, Callable[[Any], Any]] | None = None,
    sqlalchemy_safe: bool = True,
) -> Any:
    """Turn an object into one that `json.dumps` takes.

    Args:
        include, exclude: Fields or keys to keep or to drop, as Pydantic understands them.
        by_alias: Name fields by their serialization alias.
        exclude_unset: Drop fields that were not set explicitly.
        exclude_defaults: Drop fields that hold their default.
        exclude_none: Drop fields and keys that hold None.
        custom_encoder: Type → function; asked first, an exact type before a base class.
        sqlalchemy_safe: Drop keys that begin with `_sa`, where SQLAlchemy keeps its state.

    Raises:
        ValueError: The object is neither known nor a mapping nor an object with attributes.
    """
    how = _How(by_alias, exclude_unset, exclude_defaults, exclude_none, custom_encoder or {}, sqlalchemy_safe)
    return _encode(obj, _as_names(include), _as_names(exclude), how)


@dataclasses.dataclass(frozen=True, slots=True)
class _How:
    by_alias: bool
    exclude_unset: bool
    exclude_defaults: bool
    exclude_none: bool
    custom: dict[Any, Callable[[Any], Any]]
    sqlalchemy_safe: bool


def _as_names(chosen: Any) -> Any:
    return chosen if chosen is None or isinstance(chosen, (set, dict)) else set(chosen)


# One frame per level of nesting, hence no comprehensions (a frame each in Python 3.11): only the
# stack bounds the depth.
def _encode(obj: Any, include: Any, exclude: Any, how: _How) -> Any:
    if how.custom:
        by_base = (encoder for base, encoder in how.custom.items() if isinstance(obj, base))
        own = how.custom.get(type(obj)) or next(by_base, None)
        if own is not None:
            return own(obj)
    if type(obj) in _LEAVES:
        return obj
    if isinstance(obj, BaseModel):
        dumped = obj.model_dump(
            mode="json",
            include=include,
            exclude=exclude,
            by_alias=how.by_alias,
            exclude_unset=how.exclude_unset,
            exclude_none=how.exclude_none,
            exclude_defaults=how.exclude_defaults,
        )
        # What Pydantic wrote is past the reach of custom encoders, as in FastAPI.
        return _encode(dumped, None, None, dataclasses.replace(how, custom={}))
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return _encode(dataclasses.asdict(obj), include, exclude, how)
    if isinstance(obj, Enum):
        return obj.value
    if isinstance(obj, PurePath):
        return str(obj)
    if isinstance(obj, (str, int, float)):
        return obj
    if isinstance(obj, PydanticUndefinedType):
        return None
    if isinstance(obj, dict):
        encoded = {}
        for key, value in obj.items():
            if _is_kept(key, value, include, exclude, how):
                encoded[_encode(key, None, None, how)] = _encode(value, None, None, how)
        return encoded
    if isinstance(obj, (list, set, frozenset, GeneratorType, tuple, deque)):
        items = []
        for item in obj:
            items.append(_encode(item, include, exclude, how))
        return items

    known = ENCODERS_BY_TYPE.get(type(obj)) or _by_class(obj)
    if known is not None:
        return known(obj)
    if is_pydantic_v1(type(obj)):
        raise PydanticV1NotSupportedError(
            f"pydantic.v1 models are not supported; make {type(obj).__qualname__} a Pydantic 2 model"
        )
    try:
        mapping = dict(obj)
    except Exception as not_a_mapping:
        try:
            mapping = vars(obj)
        except Exception as no_attributes:
            raise ValueError([not_a_mapping, no_attributes]) from no_attributes
    return _encode(mapping, include, exclude, how)


_LEAVES = frozenset({str, int, float, bool, type(None)})


def _by_class(obj: Any) -> Callable[[Any], Any] | None:
    for encoder, classes in encoders_by_class_tuples.items():
        if isinstance(obj, classes):
            return encoder
    # Pydantic's colours without importing them: where there is one, they have been imported.
    colors = (getattr(sys.modules.get(name), "Color", None) for name in _COLOR_MODULES)
    return str if any(color is not None and isinstance(obj, color) for color in colors) else None


def _is_kept(key: Any, value: Any, include: Any, exclude: Any, how: _How) -> bool:
    if (include is not None and key not in include) or (exclude is not None and key in exclude):
        return False
    if value is None and how.exclude_none:
        return False
    return not (how.sqlalchemy_safe and isinstance(key, str) and key.startswith("_sa"))
