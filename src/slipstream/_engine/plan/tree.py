"""From an endpoint to its tree of calls, with or without overrides."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from slipstream._engine import errors
from slipstream._engine.abc import DependencyMarker
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.items import read_by_member
from slipstream._engine.plan.model import Call
from slipstream._engine.runtime.response import is_finite
from slipstream._engine.signature.annotations import is_pydantic_v1
from slipstream._engine.signature.model import Origin, Signature, Slot
from slipstream._engine.signature.names import Frames
from slipstream._engine.signature.read import path_names_of, read_handler, read_signature
from slipstream._engine.types import ContextKind, SlotSource

Implied = Mapping[SlotSource, type[FieldInfo]]
"""Marker class for each source that an unmarked parameter may have."""


def build_tree(
    endpoint: Callable[..., Any],
    *,
    path: str,
    implied: Implied,
    dependencies: Sequence[DependencyMarker] = (),
    frames: Frames | None = None,
) -> Call:
    """Read an endpoint and its dependencies; further ones of app, routers and route come first, outermost first.

    Names of annotations may be local to one of `frames`, by default to what is running.
    """
    builder = _TreeBuilder(path, implied, frames)
    root = builder.call(endpoint, scope="function")
    if dependencies:
        own = (builder.dependency(marker, None, (), root.origin) for marker in dependencies)
        root.dependencies = (*own, *root.dependencies)
    return root


def build_handler_tree(handler: Callable[..., Any], *, implied: Implied, frames: Frames | None = None) -> Call:
    """Read a handler of events and its dependencies; raise UnfitHandler for a parameter without a value."""
    signature = read_handler(handler, implied, frames)
    return _TreeBuilder("/", implied, frames).call(handler, signature, scope="function")


def override_tree(root: Call, overrides: Mapping[Callable[..., Any], Callable[..., Any]], implied: Implied) -> Call:
    """Copy a tree with overridden dependencies replaced, in replacements too; return a tree without any as it is."""
    is_any = any(is_overridden(call, overrides) for call in root.walk())
    return _copy(root, overrides, implied) if is_any else root


def is_overridden(call: Call, overrides: Container[Callable[..., Any]]) -> bool:
    try:
        return call.call in overrides
    except TypeError:  # a callable that cannot be hashed cannot be a key either
        return False


_SHELVES = {source: f"{source}_params" for source in ("path", "query", "header", "cookie")}
"""By source: the attribute of a call with the parameters outside of the body."""


class _TreeBuilder:
    """Builds the calls of one path; `way` has the callables from the root to the present one, to find cycles."""

    def __init__(self, path: str, implied: Implied, frames: Frames | None = None) -> None:
        self.path = path
        self.frames = frames
        self.path_names = path_names_of(path)
        self.implied = implied
        self.way: list[Callable[..., Any]] = []

    def call(self, function: Callable[..., Any], signature: Signature | None = None, **facts: Any) -> Call:
        signature = signature or read_signature(function, self.path_names, self.implied, self.frames)
        call = Call(signature=signature, path=self.path, **facts)
        if any(function is passed for passed in self.way):
            names = (getattr(passed, "__name__", repr(passed)) for passed in (*self.way, function))
            advice = "break it: move what both need into a third dependency"
            raise errors.DependencyCycle(f"dependency cycle: {' -> '.join(names)}", call.origin, advice)
        self.way.append(function)
        for slot in signature.slots:
            self._fill(call, slot)
        self.way.pop()
        return call

    def _fill(self, call: Call, slot: Slot) -> None:
        if slot.source == "dependency":
            marker = cast(DependencyMarker, slot.meta)
            if call.is_generator and call.lifetime == "request" and marker.scope == "function":
                name = getattr(call.call, "__name__", "<unnamed_callable>")
                raise errors.ScopeMismatch(
                    f'The dependency "{name}" has a scope of "request", '
                    f'it cannot depend on dependencies with scope "function": {slot.name}',
                    call.origin,
                    'give both the same scope: Depends(..., scope="function")',
                )
            # A scope that is asked for twice appears twice below, as in FastAPI.
            scopes = (*call.parent_scopes, *call.own_scopes)
            call.dependencies = (*call.dependencies, self.dependency(marker, slot.name, scopes, call.origin))
        elif slot.source == "context":
            call.contexts = (*call.contexts, (slot.name, cast(ContextKind, slot.meta)))
        elif (shelf := _SHELVES.get(slot.source)) is None:
            info = cast(FieldInfo, slot.meta)
            info = read_by_member(info) if slot.source == "form" else info
            call.body_params = (*call.body_params, _checked(ModelField(info, slot.name), call))
        else:
            slot.field = slot.field or _checked(ModelField(cast(FieldInfo, slot.meta), slot.name), call)
            setattr(call, shelf, (*getattr(call, shelf), slot.field))

    def dependency(self, marker: DependencyMarker, name: str | None, scopes: tuple[str, ...], origin: Origin) -> Call:
        """Build the call of a marker; `origin` is where the marker stands."""
        if not callable(marker.dependency):
            raise errors.UnsupportedAnnotation(
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


def _copy(call: Call, overrides: Mapping[Callable[..., Any], Callable[..., Any]], implied: Implied) -> Call:
    used = [
        replacement(dependency, overrides[dependency.call], implied)
        if is_overridden(dependency, overrides)
        else dependency
        for dependency in call.dependencies
    ]
    dependencies = [_copy(dependency, overrides, implied) for dependency in used]
    return replace(call, replaces=call.replaces or call, dependencies=dependencies)


def replacement(call: Call, function: Callable[..., Any], implied: Implied) -> Call:
    """Build the call of a function that stands in for that of another call."""
    return _TreeBuilder(call.path, implied).call(
        function,
        name=call.name,
        use_cache=call.use_cache,
        scope=call.scope,
        parent_scopes=call.oauth_scopes,
        limit=call.limit,
        replaces=call,
    )


def _checked(field: ModelField, call: Call) -> ModelField:
    """Build the validator when the route is registered, so that an error shows the user's line."""
    info = field.field_info
    said = (info.default, info.examples, getattr(info, "example", None), getattr(info, "openapi_examples", None))
    if not is_finite(list(said)):
        errors.warn(
            f"the default or an example of {field.name!r} is a number that JSON has not; OpenAPI's document lacks it",
            call.origin,
            "write another number; for a default, None and an annotation like float | None will do",
        )
    if is_pydantic_v1(field.field_info.annotation):
        raise errors.OldPydanticModel(
            "pydantic.v1 models are no longer supported", field.name, field.field_info.annotation, call.origin,
            "make it a model of Pydantic 2",
        )  # fmt: skip
    try:
        field.checker.rebuild()  # raises for a name that is not defined; the constructor leaves it for later
    except PydanticUndefinedAnnotation as exc:
        raise errors.UnresolvedAnnotation(exc, field.name, field.field_info.annotation, call.origin) from exc
    except PydanticSchemaGenerationError as exc:
        raise errors.InvalidFieldType(
            "Pydantic cannot validate values of this type",
            field.name, field.field_info.annotation, call.origin,
            f"if a dependency provides it, write "
            f"{field.name}: Annotated[{errors.shown(field.field_info.annotation)}, Depends(...)]; "
            "if not, write a type that Pydantic knows",
        ) from exc  # fmt: skip
    return field
