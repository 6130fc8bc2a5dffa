"""A route's tree of calls under FastAPI's names, for packages that read it, change it, or make trees by hand."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, cast

from slipstream._app.refresh import WatchedList, version
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import slot_source
from slipstream._engine.plan.model import Call
from slipstream._engine.signature.kinds import call_kind
from slipstream._engine.signature.model import Origin, Signature, Slot
from slipstream._engine.signature.origin import origin_of
from slipstream._engine.types import ContextKind, DependencyScope
from slipstream.params import SecurityScopes


@dataclass
class _Fields:
    """The fields of FastAPI's dataclass."""

    path_params: list[ModelField] = field(default_factory=list)
    query_params: list[ModelField] = field(default_factory=list)
    header_params: list[ModelField] = field(default_factory=list)
    cookie_params: list[ModelField] = field(default_factory=list)
    body_params: list[ModelField] = field(default_factory=list)
    dependencies: list[Call] = field(default_factory=list)
    name: str | None = None
    call: Callable[..., Any] | None = None
    request_param_name: str | None = None
    websocket_param_name: str | None = None
    http_connection_param_name: str | None = None
    response_param_name: str | None = None
    background_tasks_param_name: str | None = None
    security_scopes_param_name: str | None = None
    own_oauth_scopes: list[str] | None = None
    parent_oauth_scopes: list[str] | None = None
    use_cache: bool = True
    path: str | None = None
    scope: DependencyScope | None = None
    concurrency: Any = None


def _param_name(kind: ContextKind) -> Any:
    """Make the property for the parameter that receives one kind of object."""

    def get(self: Call) -> str | None:
        return next((name for name, received in self.contexts if received == kind), None)

    def put(self: Call, name: str | None) -> None:
        others = [(known, received) for known, received in self.contexts if received != kind]
        self.contexts = others if name is None else [*others, (name, kind)]

    return property(get, put)


def _scopes(shelf: str) -> Any:
    """Make the property that gives and takes scopes as a list."""

    def put(self: Call, scopes: Sequence[str] | None) -> None:
        setattr(self, shelf, tuple(scopes or ()))

    return property(lambda self: list(getattr(self, shelf)), put)


class Dependant(Call):
    """A callable, its parameters and its dependencies; a dataclass with FastAPI's fields.

    What is changed in the tree of a route, here or below, holds from the next request on.
    """

    __slots__ = ()
    __dataclass_fields__ = _Fields.__dataclass_fields__
    __signature__ = inspect.signature(_Fields)

    def __init__(self, *args: Any, **given: Any) -> None:
        values = vars(_Fields(*args, **given))
        super().__init__(_unread(values.pop("call")), values.pop("path") or "")
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        is_watched = type(getattr(self, "dependencies", None)) is WatchedList
        super().__setattr__(name, WatchedList(value) if is_watched and type(value) is list else value)
        if is_watched:
            version.bump()

    request_param_name = _param_name("request")
    websocket_param_name = _param_name("websocket")
    http_connection_param_name = _param_name("connection")
    response_param_name = _param_name("response")
    background_tasks_param_name = _param_name("background")
    security_scopes_param_name = _param_name("scopes")

    own_oauth_scopes = _scopes("own_scopes")
    """Scopes that this use of the dependency asks for."""

    parent_oauth_scopes = _scopes("parent_scopes")
    """Scopes asked for on the way here."""

    @property
    def call(self) -> Callable[..., Any]:
        """The callable; another one runs as it is written, with the parameters of the lists."""
        return self.signature.call

    @call.setter
    def call(self, call: Callable[..., Any]) -> None:
        self.signature = replace(self.signature, call=call, kind=call_kind(call))

    concurrency = cast(Any, property(attrgetter("limit"), lambda self, limit: setattr(self, "limit", limit)))
    """Bound on simultaneous calls."""


_SHELVES = ("path_params", "query_params", "header_params", "cookie_params", "body_params", "dependencies")


def dependant_of(call: Call) -> Dependant:
    """Make a `Dependant` of a tree of calls, with lists and parameters of its own: routes share those of plans."""
    view = Dependant()
    for item in fields(Call):
        setattr(view, item.name, getattr(call, item.name))
    for shelf in _SHELVES[:4]:
        fields_of = getattr(call, shelf)
        setattr(view, shelf, [replace(each, field_info=copy(each.field_info)) for each in fields_of])
    view.body_params, view.contexts = list(call.body_params), list(call.contexts)
    view.dependencies = [dependant_of(dependency) for dependency in call.dependencies]
    return view


def watch(dependant: Call) -> None:
    """Have every change of a tree counted."""
    for shelf in _SHELVES:
        shelved = getattr(dependant, shelf)
        if type(shelved) is list:
            setattr(dependant, shelf, WatchedList(shelved))
    for dependency in dependant.dependencies:
        watch(dependency)


def state_of(call: Call) -> Iterator[object]:
    """Yield what a tree is at a moment, to be compared by identity with what it is later."""
    for item in fields(Call):
        value = getattr(call, item.name)
        yield value
        if isinstance(value, list):
            yield from value
    for dependency in call.dependencies:
        yield from state_of(dependency)


def call_of(dependant: Call) -> Call:
    """Make the engine's tree of a changed one: each callable gets what the lists have for it."""
    call = Call(**{item.name: getattr(dependant, item.name) for item in fields(Call)})
    call.dependencies = [call_of(dependency) for dependency in dependant.dependencies]
    call.signature = replace(call.signature, slots=tuple(_slots(call)))
    return call


def _slots(call: Call) -> Iterator[Slot]:
    """Yield the signature's slots that the lists still have, then one for each other entry."""
    named = [dependency for dependency in call.dependencies if dependency.name is not None]
    wanted = [Slot(str(dependency.name), "dependency", None, cast(Any, None)) for dependency in named]
    for source, params in call.params.items():
        for item in params:
            wanted.append(Slot(item.name, cast(Any, slot_source(item)) or source, None, item.field_info))
    wanted += [Slot(name, "context", SecurityScopes, kind) for name, kind in call.contexts]
    by_name = {slot.name: slot for slot in wanted}
    for known in call.signature.slots:
        slot = by_name.pop(known.name, None)
        if slot is not None:
            is_kept = known.source == slot.source and (known.source != "context" or known.meta == slot.meta)
            yield known if is_kept else slot
    yield from by_name.values()


def _unread(call: Callable[..., Any] | None) -> Signature:
    """Make a signature without parameters; a Dependant is given its parameters in other arguments."""
    if call is None:
        nothing: Any = None
        return Signature(nothing, Origin("nothing", None, None), (), inspect.Signature.empty, "sync")
    return Signature(call, origin_of(call), (), inspect.Signature.empty, call_kind(call))
