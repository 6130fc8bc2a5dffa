"""From an endpoint to the tree of calls that feeds it, with or without overrides.

Each callable is read once per path; a tree is data and can be shared between threads.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pydantic import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from slipstream._engine.abc import DependencyMarker
from slipstream._engine.errors import (
    DependencyCycle,
    InvalidFieldType,
    OldPydanticModel,
    ScopeMismatch,
    UnsupportedAnnotation,
    shown,
)
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.items import read_by_member
from slipstream._engine.plan.model import Call
from slipstream._engine.signature.annotations import is_pydantic_v1
from slipstream._engine.signature.model import Origin, Signature, Slot
from slipstream._engine.signature.read import path_names_of, read_handler, read_signature
from slipstream._engine.types import ContextKind, SlotSource

Implied = Mapping[SlotSource, type[FieldInfo]]
"""Marker class for each source that an unmarked parameter may have."""


def build_tree(
    endpoint: Callable[..., Any], *, path: str, implied: Implied, dependencies: Sequence[DependencyMarker] = ()
) -> Call:
    """Read an endpoint and everything it depends on.

    Args:
        endpoint: What the user decorated.
        path: Its full path without converters.
        implied: Marker classes for unmarked parameters.
        dependencies: Those of app, routers and route, outermost first; nobody receives their results.

    Raises:
        DefinitionError: See `errors.py`.
    """
    builder = _TreeBuilder(path, implied)
    root = builder.call(endpoint, scope="function")
    root.dependencies[:0] = [builder.dependency(marker, None, (), root.origin) for marker in dependencies]
    return root


def build_handler_tree(handler: Callable[..., Any], *, implied: Implied) -> Call:
    """Read a handler of events and everything it depends on.

    Raises:
        UnfitHandler: A parameter that nothing can be given for.
        DefinitionError: See `errors.py`.
    """
    return _TreeBuilder("/", implied).call(handler, read_handler(handler, implied), scope="function")


def override_tree(root: Call, overrides: Mapping[Callable[..., Any], Callable[..., Any]], implied: Implied) -> Call:
    """Copy a tree with some dependencies replaced; the tree itself comes back where none is.

    A replacement is read as any dependency is, and its own dependencies may be replaced in turn.
    """
    if not any(_is_overridden(call, overrides) for call in walk(root)):
        return root
    return _Overrider(overrides, implied).copy(root)


def walk(call: Call) -> Sequence[Call]:
    """List the dependencies of a call, and theirs, in order."""
    found = []
    for dependency in call.dependencies:
        found.append(dependency)
        found.extend(walk(dependency))
    return found


def _is_overridden(call: Call, overrides: Mapping[Callable[..., Any], Callable[..., Any]]) -> bool:
    try:
        return call.call in overrides
    except TypeError:  # a callable that cannot be hashed cannot be a key either
        return False


class _TreeBuilder:
    """Builds the calls of one path; remembers the way down, to notice circles."""

    def __init__(self, path: str, implied: Implied) -> None:
        self.path = path
        self.path_names = path_names_of(path)
        self.implied = implied
        self.way: list[Callable[..., Any]] = []

    def call(self, function: Callable[..., Any], signature: Signature | None = None, **facts: Any) -> Call:
        """Build the call of one callable and, below it, those of its dependencies."""
        signature = signature or read_signature(function, self.path_names, self.implied)
        call = Call(signature=signature, path=self.path, **facts)
        if any(function is passed for passed in self.way):
            names = tuple(getattr(passed, "__name__", repr(passed)) for passed in (*self.way, function))
            raise DependencyCycle(names, call.origin)
        self.way.append(function)
        for slot in signature.slots:
            self._fill(call, slot)
        self.way.pop()
        return call

    def _fill(self, call: Call, slot: Slot) -> None:
        if slot.source == "dependency":
            marker = cast(DependencyMarker, slot.meta)
            if call.is_generator and call.lifetime == "request" and marker.scope == "function":
                raise ScopeMismatch(getattr(call.call, "__name__", "<unnamed_callable>"), slot.name, call.origin)
            scopes = (
                *call.parent_scopes,
                *call.own_scopes,
            )  # a scope asked for twice is told twice below, as in FastAPI
            call.dependencies.append(self.dependency(marker, slot.name, scopes, call.origin))
        elif slot.source == "context":
            call.contexts.append((slot.name, cast(ContextKind, slot.meta)))
        else:
            info = cast(FieldInfo, slot.meta)
            field = _checked(ModelField(slot.name, read_by_member(info) if slot.source == "form" else info), call)
            _shelf(call, slot.source).append(field)

    def dependency(self, marker: DependencyMarker, name: str | None, scopes: tuple[str, ...], origin: Origin) -> Call:
        """Build the call that a marker names; `origin` is where the marker stands."""
        if not callable(marker.dependency):
            raise UnsupportedAnnotation(
                "A dependency must be callable", name or "dependencies", marker.dependency, origin,
                "write Depends(function), with the function itself and not its result",
            )  # fmt: skip
        return self.call(
            marker.dependency,
            name=name,
            use_cache=marker.use_cache if name is not None else True,
            scope=marker.scope,
            own_scopes=tuple(marker.security_scopes),
            parent_scopes=scopes,
            limit=marker.limit,
        )


class _Overrider:
    """Copies a tree, putting replacements in."""

    def __init__(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]], implied: Implied) -> None:
        self.overrides = overrides
        self.implied = implied

    def copy(self, call: Call) -> Call:
        """Copy one call; what it depends on is replaced where an override says so."""
        twin = Call(
            signature=call.signature, path=call.path, name=call.name,
            path_params=call.path_params, query_params=call.query_params, header_params=call.header_params,
            cookie_params=call.cookie_params, body_params=call.body_params, contexts=call.contexts,
            use_cache=call.use_cache, scope=call.scope, own_scopes=call.own_scopes,
            parent_scopes=call.parent_scopes, limit=call.limit, replaces=call.replaces or call,
        )  # fmt: skip
        twin.dependencies = [self._replaced(dependency) for dependency in call.dependencies]
        return twin

    def _replaced(self, call: Call) -> Call:
        if not _is_overridden(call, self.overrides):
            return self.copy(call)
        builder = _TreeBuilder(call.path, self.implied)
        fresh = builder.call(
            self.overrides[call.call],
            name=call.name,
            use_cache=call.use_cache,
            scope=call.scope,
            parent_scopes=call.oauth_scopes,
            limit=call.limit,
        )
        twin = self.copy(fresh)
        twin.replaces = call
        return twin


def _shelf(call: Call, source: SlotSource) -> list[ModelField]:
    shelves = {
        "path": call.path_params,
        "query": call.query_params,
        "header": call.header_params,
        "cookie": call.cookie_params,
    }
    return shelves.get(source, call.body_params)


def _checked(field: ModelField, call: Call) -> ModelField:
    """Build the validator now, so that what Pydantic cannot validate fails at the user's line."""
    if is_pydantic_v1(field.field_info.annotation):
        raise OldPydanticModel(
            "pydantic.v1 models are no longer supported", field.name, field.field_info.annotation, call.origin,
            "make it a model of Pydantic 2",
        )  # fmt: skip
    try:
        _ = field.checker
    except PydanticSchemaGenerationError as exc:
        raise InvalidFieldType(
            "Pydantic cannot validate values of this type",
            field.name, field.field_info.annotation, call.origin,
            f"if a dependency provides it, write "
            f"{field.name}: Annotated[{shown(field.field_info.annotation)}, Depends(...)]; "
            "if not, write a type that Pydantic knows",
        ) from exc  # fmt: skip
    return field
