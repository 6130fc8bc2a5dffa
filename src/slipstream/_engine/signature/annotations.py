"""Whether a type is a scalar, a sequence, a model or an upload: this decides where an unmarked parameter comes from."""

import collections.abc as abc
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import lru_cache, wraps
from operator import getitem
from types import UnionType
from typing import Annotated, Any, TypeGuard, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Json
from pydantic.fields import FieldInfo
from starlette.datastructures import UploadFile
from typing_inspection.typing_objects import is_typealiastype

T = TypeVar("T")

SEQUENCE_TYPES: tuple[type[Any], ...] = (Sequence, list, tuple, set, frozenset, deque)
STREAM_ORIGINS = frozenset(
    {abc.AsyncIterable, abc.AsyncIterator, abc.AsyncGenerator, abc.Iterable, abc.Iterator, abc.Generator}
)


def remembered(question: Callable[[Any], T]) -> Callable[[Any], T]:
    """Cache the answers, since an application asks about the same annotations a thousand times."""
    known = lru_cache(maxsize=4096)(question)

    @wraps(question)
    def ask(annotation: Any) -> T:
        try:
            return known(annotation)
        except TypeError:  # not hashable, such as Literal over a list
            return question(annotation)

    return ask


def is_subclass(annotation: Any, classes: type[T] | tuple[type[T], ...]) -> TypeGuard[type[T]]:
    """Whether an annotation is a class derived from `classes`."""
    try:
        return isinstance(annotation, type) and issubclass(annotation, classes)
    except TypeError:  # list[int] is an instance of type in some Python versions, but no class
        return False


def unaliased(annotation: Any) -> Any:
    """Take type aliases off, and off the type inside of `Annotated[...]`; aliases deeper inside are left to Pydantic.

    Raises:
        NameError: The alias has a name that is not defined.
    """
    while is_typealiastype(annotation) or is_typealiastype(get_origin(annotation)):
        if is_typealiastype(annotation):
            annotation = annotation.__value__
        else:
            alias: Any = get_origin(annotation)
            given = dict(zip(alias.__type_params__, get_args(annotation), strict=False))
            annotation = substituted(alias.__value__, given)
    if get_origin(annotation) is not Annotated:
        return annotation
    inner = unaliased(annotation.__origin__)
    return annotation if inner is annotation.__origin__ else getitem(Annotated, (inner, *annotation.__metadata__))


def substituted(annotation: Any, known: Mapping[Any, Any]) -> Any:
    """Put types in the place of type variables."""
    if isinstance(annotation, TypeVar):
        return known.get(annotation, annotation)
    variables = getattr(annotation, "__parameters__", ())
    if known.keys().isdisjoint(variables):
        return annotation
    return annotation[tuple(known.get(each, each) for each in variables)]


def is_union(annotation: Any) -> bool:
    """Whether it is `X | Y` or `Union[X, Y]`."""
    return get_origin(annotation) in (Union, UnionType)


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; else the annotation alone. Without type aliases."""
    annotation = unaliased(annotation)
    return tuple(map(unaliased, get_args(annotation))) if is_union(annotation) else (annotation,)


def bare(annotation: Any) -> Any:
    """Take type aliases and `Annotated[...]` off."""
    annotation = unaliased(annotation)
    return annotation.__origin__ if get_origin(annotation) is Annotated else annotation


@remembered
def is_sequence(annotation: Any) -> bool:
    """Whether it is a sequence or a union with a sequence: `list[int]`, `set[str] | None`."""
    annotation = bare(annotation)
    if is_union(annotation):
        return any(is_sequence(choice) for choice in get_args(annotation))
    return _is_sequence_class(annotation) or _is_sequence_class(get_origin(annotation))


def _is_sequence_class(annotation: Any) -> bool:
    return not is_subclass(annotation, (str, bytes)) and is_subclass(annotation, SEQUENCE_TYPES)


@remembered
def is_scalar(annotation: Any) -> bool:
    """Whether one string can hold it: no model, mapping, sequence, dataclass or upload."""
    if annotation is Ellipsis:  # from tuple[int, ...]
        return True
    annotation = bare(annotation)
    origin = get_origin(annotation)
    if is_union(annotation):
        return all(is_scalar(choice) for choice in get_args(annotation))
    if any(_is_composite_class(part) for part in (annotation, origin)):
        return False
    return not (hasattr(origin, "__pydantic_core_schema__") or hasattr(origin, "__get_pydantic_core_schema__"))


def _is_composite_class(annotation: Any) -> bool:
    return (
        is_subclass(annotation, (BaseModel, Mapping, UploadFile))
        or _is_sequence_class(annotation)
        or is_dataclass(annotation)
    )


@remembered
def is_scalar_sequence(annotation: Any) -> bool:
    """Whether it is a sequence of scalars, as repeated query keys can hold."""
    annotation = bare(annotation)
    if is_union(annotation):
        choices = get_args(annotation)
        sequences = [choice for choice in choices if is_scalar_sequence(choice)]
        return bool(sequences) and all(choice in sequences or is_scalar(choice) for choice in choices)
    return is_sequence(annotation) and all(is_scalar(item) for item in get_args(annotation))


def _is_or_holds(annotation: Any, wanted: type[Any]) -> bool:
    return any(is_subclass(choice, wanted) for choice in _choices(annotation))


def _is_sequence_of(annotation: Any, wanted: type[Any]) -> bool:
    return any(
        is_sequence(choice) and all(_is_or_holds(bare(item), wanted) for item in get_args(choice))
        for choice in _choices(annotation)
    )


@remembered
def is_upload(annotation: Any) -> bool:
    """Whether it is an uploaded file, perhaps optional, or a sequence of them."""
    return _is_or_holds(annotation, UploadFile) or _is_sequence_of(annotation, UploadFile)


def is_bytes(annotation: Any) -> bool:
    """Whether it is `bytes`, perhaps optional."""
    return _is_or_holds(annotation, bytes)


def is_bytes_sequence(annotation: Any) -> bool:
    """Whether it is a sequence of `bytes`, perhaps optional."""
    return _is_sequence_of(annotation, bytes)


def is_optional(annotation: Any) -> bool:
    """Whether None is a member of the union."""
    return type(None) in get_args(unaliased(annotation))


@remembered
def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model of `Model` or `Model | None`; None for all else."""
    choices = [choice for choice in _choices(annotation) if choice is not type(None)]
    return choices[0] if len(choices) == 1 and is_subclass(choices[0], BaseModel) else None


def models_of_union(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models of a union of two or more models and perhaps None; empty for all else."""
    choices = tuple(bare(choice) for choice in _choices(annotation) if choice is not type(None))
    return choices if len(choices) > 1 and all(is_subclass(choice, BaseModel) for choice in choices) else ()


def is_json(info: FieldInfo) -> bool:
    """Whether a value arrives as JSON text inside a string (`Json[...]`)."""
    return any(type(item) is Json for item in info.metadata)


def stream_item(annotation: Any) -> Any | None:
    """The item type of an annotation such as `AsyncIterable[Item]`, `Any` without one; None for all else."""
    annotation = unaliased(annotation)
    origin = get_origin(annotation)
    if origin not in STREAM_ORIGINS:
        return None
    arguments = get_args(annotation)
    return arguments[0] if arguments else Any


def is_pydantic_v1(annotation: Any) -> bool:
    """Whether an annotation is a model of `pydantic.v1` or has one among its arguments."""
    # Importing that package takes 120 ms; if it has not been imported, no such model exists.
    v1 = sys.modules.get("pydantic.v1.main")
    if v1 is None:
        return False
    if isinstance(annotation, type) and isinstance(annotation, type(v1.BaseModel)):
        return True
    return any(is_pydantic_v1(part) for part in get_args(annotation))
