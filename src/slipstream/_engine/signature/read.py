"""Reads a function into a `Signature`: where each parameter of an endpoint or dependency comes from.

The rules, in order: a marker in `Annotated` or as default decides; an annotation such as `Request` gets that object;
a name in the path is a path parameter; uploads are files; scalars are query parameters; all else is body.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from functools import partial
from itertools import chain
from operator import is_not
from types import FunctionType
from typing import Annotated, Any, TypeAlias, cast, get_args, get_origin

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from starlette.background import BackgroundTasks
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from slipstream._engine.abc import is_dependency_marker, is_value_marker
from slipstream._engine.errors import (
    AmbiguousParameter,
    UnfitHandler,
    UnresolvedAnnotation,
    UnsupportedAnnotation,
    shown,
    warn,
)
from slipstream._engine.signature.annotations import (
    is_scalar,
    is_scalar_sequence,
    is_subclass,
    is_upload,
    model_of,
    substituted,
    unaliased,
)
from slipstream._engine.signature.kinds import call_kind
from slipstream._engine.signature.merge import merge
from slipstream._engine.signature.model import Origin, Signature, Slot
from slipstream._engine.signature.names import (
    EMPTY,
    NOT_DEFINED,
    Frames,
    Names,
    written_parameters,
    written_signature,
)
from slipstream._engine.signature.origin import origin_of
from slipstream._engine.types import ContextKind, SlotSource

_CONTEXTS: tuple[tuple[type[Any], ContextKind], ...] = (
    (Request, "request"),
    (WebSocket, "websocket"),
    (HTTPConnection, "connection"),
    (Response, "response"),
    (BackgroundTasks, "background"),
)


Implied: TypeAlias = Mapping[SlotSource, type[FieldInfo]]
"""Marker classes for parameters without a marker."""


def read_signature(
    call: Callable[..., Any], path_names: frozenset[str], implied: Implied, frames: Frames | None = None
) -> Signature:
    """Read what a function, class, partial or callable object asks for.

    Args:
        path_names: Parameters of the path.
        frames: Functions around the callable; those that are running by default.

    Raises:
        UnresolvedAnnotation: A name that is needed is not defined.
        DefinitionError: No request can give a parameter's value, or two markers contradict each other.
    """
    remembered = _memory(call) if isinstance(call, FunctionType | type) else []
    for in_path, signature in remembered:
        if in_path == path_names.intersection(slot.name for slot in signature.slots):
            return signature
    signature = _read(call, path_names, implied, frames)
    if not _reads_path_by_alias(signature) and not isinstance(signature.returns, UnresolvedAnnotation):
        remembered.append((path_names.intersection(slot.name for slot in signature.slots), signature))
    return signature


def read_handler(call: Callable[..., Any], implied: Implied, frames: Frames | None = None) -> Signature:
    """Read what a handler of events asks for: dependencies, objects such as the connection, and the event.

    The event goes to the first parameter that asks for neither of the others; further ones must have a default.
    A parameter `connection` without an annotation gets the connection.

    Raises:
        UnfitHandler: A parameter cannot be given by name, or wants a second event.
        DefinitionError: Two markers of a parameter contradict each other.
    """
    signature = _read(call, frozenset(), implied, frames, takes_event=True)
    written = written_signature(call).parameters
    slots: dict[Any, Slot] = {}
    for slot in signature.slots:
        parameter, key = written[slot.name], slot.meta if slot.meta == "event" else slot.name
        if isinstance(call, partial) and slot.name in call.keywords:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UnfitHandler(f"{slot.name!r} is not a parameter that can be given by name", signature.origin)
        if key == "event" and parameter.annotation in (EMPTY, Any) and slot.name == "connection":
            slots[slot.name] = Slot(slot.name, "context", Any, "link")
        elif key not in slots:
            slots[key] = slot
        elif parameter.default is EMPTY:
            claim = f"there is one event at a time, for {slots[key].name!r}, and none for {slot.name!r}"
            raise UnfitHandler(claim, signature.origin)
    return dataclasses.replace(signature, slots=tuple(slots.values()))


def _read(
    call: Callable[..., Any],
    path_names: frozenset[str],
    implied: Implied,
    frames: Frames | None,
    *,
    takes_event: bool = False,
) -> Signature:
    parameters, returns = written_parameters(call)
    origin = origin_of(call)
    names = Names(call, frames)
    known = dict(zip(getattr(get_origin(call), "__parameters__", ()), get_args(call), strict=False))
    markers = None if known or takes_event else (implied.get("path"), implied.get("query"))
    slots = []
    unresolved: UnresolvedAnnotation | None = None
    for name, annotation, default in parameters:
        key, slot = (None, None) if markers is None else _shared(name, annotation, default, path_names, markers)
        try:
            if slot is None:
                resolved = substituted(_resolved(annotation, default, names), known)
                reader = _ParameterReader(name, resolved, default, path_names, implied, origin, takes_event)
                slot = reader.read()
                is_alike = (not slot.marked and slot.source in ("path", "query")) or slot.source == "dependency"
                if is_alike and key is not None and resolved is annotation:
                    if len(_slots) >= _MOST:
                        _slots.clear()
                    _slots[key] = slot
            slots.append(slot)
        except NameError as exc:  # the other parameters' errors are raised first
            unresolved = UnresolvedAnnotation(exc, name, annotation, origin)
    if unresolved is not None:
        raise unresolved
    try:
        returns = names.resolve(returns)
    except NOT_DEFINED as exc:
        returns = UnresolvedAnnotation(exc, "return", returns, origin)
    return Signature(call=call, origin=origin, slots=tuple(slots), returns=returns, kind=call_kind(call))


_PLAIN = frozenset({type(None), bool, int, str})
"""Types of defaults that nobody can change, and that are the same if they are equal."""
_MOST = 4096
_slots: dict[Any, Slot] = {}
"""Slots of parameters such as `limit: int = 10` by all that decides on them, since most are written many times."""


def _shared(name: str, annotation: Any, default: Any, path_names: frozenset[str], markers: Any) -> tuple[Any, Any]:
    """Return the key of a parameter and the slot that parameters written alike share; None for what is not shared."""
    if default is not EMPTY and type(default) not in _PLAIN:
        return None, None
    text: Any = None
    if get_origin(annotation) is Annotated:  # two dependencies may be equal, too
        text = repr(annotation.__origin__), *(id(getattr(item, "dependency", None)) for item in annotation.__metadata__)
    elif not isinstance(annotation, type):
        # Unions in another order are equal, but they validate differently: their text is compared.
        text = repr(annotation)
    key = (name, annotation, text, type(default), default, name in path_names, markers)
    try:
        return key, _slots.get(key)
    except TypeError:  # not hashable, such as Literal over a list, and what is in `Annotated` beside its type
        return None, None


def _resolved(written: Any, default: Any, names: Names) -> Any:
    """Evaluate an annotation; where a dependency gives the value, its type may be unknown.

    Raises:
        NameError: A name is not defined, nor the attribute of a module.
    """
    if isinstance(written, type):
        return written
    try:
        return names.resolve(unaliased(names.resolve(written)))
    except NOT_DEFINED as exc:
        whole = names.without_type(written)
        markers = (default, *getattr(whole, "__metadata__", ()))
        if any(is_dependency_marker(marker) and marker.dependency is not None for marker in markers):
            return whole
        raise exc if isinstance(exc, NameError) else NameError(str(exc), name=exc.name) from exc


_MEMORY = "__slipstream_signatures__"
"""Attribute of a function or class that keeps its signatures: a dependency is read once, not once per route."""


def _memory(call: Any) -> list[tuple[frozenset[str], Signature]]:
    """Return the signatures read so far, each with the names of those parameters that were in the path."""
    written = _written(call)
    owner, known_written, known = getattr(call, _MEMORY, (None, [], []))
    # functools.wraps copies attributes: the signatures may be those of the wrapped function.
    if owner is not call or len(written) != len(known_written) or any(map(is_not, written, known_written)):
        known = []
        put = type.__setattr__ if isinstance(call, type) else setattr  # a metaclass may act on what is set
        with suppress(TypeError):  # one of Python's own classes
            put(call, _MEMORY, (call, written, known))
    return known


def _written(call: Any) -> list[Any]:
    """List what a signature is read from; packages and decorators may assign another `__signature__` later."""
    wrapped = getattr(call, "__wrapped__", None)
    if isinstance(call, type):
        made_by = (call.__init__, call.__new__, type(call).__call__)  # type: ignore[misc]  # of this class
        return [call.__dict__.get("__signature__"), *made_by, *_written(call.__init__), *_written(call.__new__)]  # type: ignore[misc]
    try:
        annotations = call.__annotations__
    except (AttributeError, NameError):  # Python 3.14 evaluates them now
        annotations = {}
    return [
        getattr(call, "__signature__", None),
        getattr(call, "__code__", None),
        getattr(call, "__defaults__", None),
        *chain.from_iterable((getattr(call, "__kwdefaults__", None) or {}).items()),
        *chain.from_iterable(annotations.items()),
        *([] if wrapped is None else _written(wrapped)),
    ]


def _reads_path_by_alias(signature: Signature) -> bool:
    """Whether a parameter may be named by the path in more than one way."""
    infos = [slot.meta for slot in signature.slots if slot.source == "path"]
    return any(isinstance(getattr(info, "validation_alias", None), (str, AliasChoices)) for info in infos)


_BRACES = re.compile("{(.*?)}")


def path_names_of(path: str) -> frozenset[str]:
    """Names in braces, as written in a path without converters: "/items/{item_id}"."""
    return frozenset(_BRACES.findall(path))


@dataclasses.dataclass(slots=True)
class _ParameterReader:
    name: str
    annotation: Any
    default: Any
    path_names: frozenset[str]
    implied: Implied
    origin: Origin
    takes_event: bool
    """Whether every value is the event that is handled, however it is marked."""

    @property
    def in_path(self) -> bool:
        return self.name in self.path_names

    def read(self) -> Slot:
        whole = Any if self.annotation is EMPTY else self.annotation
        kind, *metadata = get_args(whole) if get_origin(whole) is Annotated else (whole,)
        if _is_marker(kind) or _is_marker_class(kind):
            name = type(kind).__name__ if _is_marker(kind) else kind.__name__
            raise UnsupportedAnnotation(
                f"{name} stands where the type belongs", self.name, kind, self.origin,
                f"write {self.name}: Annotated[<type>, {name}(...)]",
            )  # fmt: skip
        if _is_marker_class(self.default):
            name = self.default.__name__
            claim = f"the default of {self.name!r} is {name} itself, which nobody calls"
            warn(claim, self.origin, f"write {self.name}: Annotated[{shown(kind)}, {name}()]")
        marker = self._marker(metadata, whole, kind)
        if is_dependency_marker(marker):
            if marker.dependency is None:  # Depends() alone means the annotated class itself
                marker = dataclasses.replace(marker, dependency=kind)  # type: ignore[type-var]
            return Slot(self.name, "dependency", kind, marker)
        context = context_kind(kind)
        if context is None and self.takes_event:
            return Slot(self.name, "context", whole, "event")
        if context is None:
            info = self._implied_marker(whole, kind) if marker is None else marker
            return self._value_slot(info, kind, marked=marker is not None)
        if marker is not None:
            raise AmbiguousParameter(
                f"Cannot specify `{type(marker).__name__}` with type {shown(kind)} for {self.name!r}",
                self.origin,
                f"it is handed over, not read from the request: write {self.name}: {shown(kind)}",
            )
        return Slot(self.name, "context", kind, context)

    def _marker(self, metadata: list[Any], whole: Any, kind: Any) -> Any:
        """Return the last marker of the annotation or that of the default, a value's or a dependency's; else None."""
        markers = [item for item in metadata if _is_marker(item)]
        marker: Any = markers[-1] if markers else None
        if is_value_marker(marker):
            marker = self._merged(marker, whole)
        if is_dependency_marker(self.default):
            if is_dependency_marker(marker):
                raise self._twice("Cannot specify `Depends` in `Annotated` and default value together")
            if marker is not None:
                raise self._twice(
                    "Cannot specify a FastAPI annotation in `Annotated` and `Depends` as a default value together"
                )
            return self.default
        if isinstance(self.default, FieldInfo):
            if is_value_marker(marker):
                raise self._twice("Cannot specify FastAPI annotations in `Annotated` and default value together")
            if marker is None:
                marker = copy(self.default)
                marker.annotation = kind
        return marker

    def _twice(self, claim: str) -> AmbiguousParameter:
        keep_one = f"keep one of them, as metadata: {self.name}: Annotated[..., <the one to keep>]"
        return AmbiguousParameter(f"{claim} for {self.name!r}", self.origin, keep_one)

    def _merged(self, marker: FieldInfo, whole: Any) -> FieldInfo:
        info = merge(marker, whole)
        if info.default is not PydanticUndefined and info.default is not Ellipsis:
            written = type(info).__name__
            raise AmbiguousParameter(
                f"`{written}` default value cannot be set in `Annotated` for {self.name!r}. "
                f"Set the default value with `=` instead.",
                self.origin,
                f"write {self.name}: Annotated[..., {written}()] = <default>",
            )
        if self.default is EMPTY:
            info.default = PydanticUndefined
        elif self.in_path:
            raise AmbiguousParameter(
                f"Path parameters cannot have default values for {self.name!r}",
                self.origin,
                "a path that matches always has the value: leave `= <default>` out",
            )
        else:
            info.default = self.default
        return info

    def _implied_marker(self, whole: Any, kind: Any) -> FieldInfo:
        source: SlotSource
        if self.in_path:
            source = "path"
        elif is_upload(kind):
            source = "file"
        elif not is_scalar(kind):
            source = "body"
        else:
            source = "query"
        marker_class = self.implied[source]
        # A parameter that is in the path of one route and not of another may keep its default for the other.
        default = PydanticUndefined if self.in_path or self.default is EMPTY else self.default
        marker = marker_class(annotation=whole) if self.in_path else marker_class(annotation=whole, default=default)
        if get_origin(whole) is Annotated:
            marker = merge(marker, whole)
            marker.default = default
            if self.in_path:
                marker.default_factory = None
        return marker

    def _value_slot(self, info: FieldInfo, kind: Any, *, marked: bool) -> Slot:
        if not is_value_marker(info):
            raise UnsupportedAnnotation(
                f"`{type(info).__name__}()` does not say where {self.name!r} comes from",
                self.name, info.annotation, self.origin,
                "write Query(), Path(), Header(), Cookie(), Body(), Form() or File() in its place",
            )  # fmt: skip
        source: SlotSource = info.slot_source
        if self.in_path and source != "path":
            raise AmbiguousParameter(
                f"Cannot use `{type(info).__name__}` for path param {self.name!r}",
                self.origin,
                "write Path() in its place, or give the parameter a name that the path does not have",
            )
        if source == "path":
            info = self._named_by_path(info)
        if not info.alias and getattr(info, "convert_underscores", None):
            info.alias = self.name.replace("_", "-")
        else:
            info.alias = info.alias or self.name
        self._check_shape(info, source)
        return Slot(self.name, source, kind, info, marked)

    def _named_by_path(self, info: FieldInfo) -> FieldInfo:
        """Give a path parameter with several aliases the alias that is in the path."""
        choices = info.validation_alias.choices if isinstance(info.validation_alias, AliasChoices) else []
        if all(isinstance(choice, str) for choice in choices):
            for choice in cast(list[str], choices):
                if choice in self.path_names:
                    info = copy(info)
                    info.validation_alias = choice
                    break
        return info

    def _check_shape(self, info: FieldInfo, source: SlotSource) -> None:
        annotation = info.annotation
        if self.in_path and not is_scalar(annotation):
            raise UnsupportedAnnotation(
                "Path params must be of one of the supported types", self.name, annotation, self.origin,
                "a path holds one value: write a scalar type such as int, str or UUID",
            )  # fmt: skip
        if source == "query" and not (
            is_scalar(annotation) or is_scalar_sequence(annotation) or model_of(annotation) is not None
        ):
            raise UnsupportedAnnotation(
                f"Query parameter {self.name!r} must be one of the supported types",
                self.name, annotation, self.origin,
                "a query holds scalars, lists of scalars or one model; for anything else write Body()",
            )  # fmt: skip


def _is_marker(thing: Any) -> bool:
    return is_value_marker(thing) or is_dependency_marker(thing)


def _is_marker_class(thing: Any) -> bool:
    cls = getattr(thing, "marker_class", thing)  # of the function that makes the marker
    return isinstance(cls, type) and (hasattr(cls, "slot_source") or hasattr(cls, "security_scopes"))


def context_kind(annotation: Any) -> ContextKind | None:
    """Return which object, such as the `Request`, an annotation asks for; None if it asks for a value.

    Public classes such as SecurityScopes have an attribute `slot_context` that says so.
    """
    annotation = get_origin(annotation) or annotation  # Request[State]
    for known, kind in _CONTEXTS:
        if is_subclass(annotation, known):
            return kind
    return getattr(annotation, "slot_context", None) if isinstance(annotation, type) else None
