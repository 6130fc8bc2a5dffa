"""The final form of each OpenAPI object: the order of its keys, and the kinds of its values.

A shape copies a value: keys are put in the order of the models in `openapi/models.py` (unknown keys last), None and
numbers that JSON has not are left out of objects, bounds become floats, and everything becomes JSON. A value that the shape does not expect is
copied unchanged: it is the user's, and tools that read the document explain better what is wrong with it.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from math import isfinite
from types import NoneType
from typing import Any, ForwardRef, TypeAlias, get_args, get_origin, get_type_hints

from pydantic import AnyUrl, BaseModel, ValidationError
from pydantic_core import to_jsonable_python
from typing_extensions import is_typeddict

from slipstream._engine.signature.annotations import is_subclass, is_union
from slipstream.openapi import models

Shape: TypeAlias = Callable[[Any], Any]

_ATOMS = frozenset({str, int, bool, type(None)})


def free(value: Any) -> Any:
    """Copy any value as JSON, without None in its objects; return None for a number that JSON has not."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is float:
        return value if isfinite(value) else None
    if kind is dict:
        return {_key(key): made for key, item in value.items() if (made := free(item)) is not None}
    if kind is list or kind is tuple:
        return [free(item) for item in value]
    plain = to_jsonable_python(value)
    return free(plain) if type(plain) in (dict, list, float) else plain


def _key(key: Any) -> str:
    return key if type(key) is str else next(iter(to_jsonable_python({key: None})))


def map_of(item_shape: Shape) -> Shape:

    def shape(value: Any) -> Any:
        if type(value) is not dict:
            return free(value)
        items = ((_key(key), item_shape(item)) for key, item in value.items() if item is not None)
        return {key: made for key, made in items if made is not None}

    return shape


def list_of(item_shape: Shape) -> Shape:

    def shape(value: Any) -> Any:
        return [item_shape(item) for item in value] if isinstance(value, (list, tuple)) else free(value)

    return shape


def number(value: Any) -> Any:
    """Write a bound as a float, `1.0` for `1`."""
    return float(value) if type(value) is int else free(value)


def text(value: Any) -> Any:
    """Write a member of an enumeration as its value."""
    return str(value.value) if isinstance(value, Enum) else free(value)


def url(value: Any) -> Any:
    """Write a URL in its normal form."""
    try:
        return str(AnyUrl(value))
    except (ValidationError, TypeError):
        return free(value)


def response(value: Any) -> Any:
    """Shape a response; a dict without a description is no response to the specification, and is left alone."""
    is_response = type(value) is dict and isinstance(value.get("description"), str)
    return _record_of(models.Response)(value) if is_response else free(value)


def shape_of(annotation: Any) -> Shape:
    """Make the shape of what a field of OpenAPI's models holds; of a union, that of its one kind outside of `_NO_SHAPE`."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        annotation = getattr(models, annotation)
    if is_union(annotation):
        kinds = [choice for choice in get_args(annotation) if choice not in _NO_SHAPE]
        return shape_of(kinds[0]) if len(kinds) == 1 else free
    if annotation is models.Response:
        return response
    if is_typeddict(annotation) or is_subclass(annotation, BaseModel):
        return lambda value: _record_of(annotation)(value)
    if is_subclass(annotation, Enum):
        return text
    arguments = get_args(annotation)
    if get_origin(annotation) is list:
        return list_of(shape_of(arguments[0]))
    if get_origin(annotation) is dict:
        return map_of(shape_of(arguments[1]))
    return _SCALARS.get(annotation, free)


_NO_SHAPE = (NoneType, bool, Any, models.Reference)
_SCALARS: dict[Any, Shape] = {str: text, float: number, AnyUrl: url}


@cache
def _record_of(*kinds: Any) -> Shape:
    """Shape an object with the keys of one model, or of one of several, in the order of their fields."""
    shapes: dict[str, Shape] = {}
    for model in kinds:
        if is_typeddict(model):
            shapes |= {name: shape_of(annotation) for name, annotation in get_type_hints(model).items()}
        else:
            shapes |= {field.alias or name: shape_of(field.annotation) for name, field in model.model_fields.items()}
    ranks = {key: place for place, key in enumerate(shapes)}
    last = len(ranks)  # shared by unknown keys, so that a stable sort keeps their order

    def shape(value: Any) -> Any:
        if type(value) is not dict:
            return free(value)
        return {
            _key(key): made
            for key in sorted(value, key=lambda key: ranks.get(key, last))
            if (item := value[key]) is not None and (made := shapes.get(key, free)(item)) is not None
        }

    return shape


schema = shape_of(models.Schema)
path_item = shape_of(models.PathItem)


def security_scheme(value: Any) -> Any:
    return _record_of(*get_args(models.SecurityScheme))(value)
