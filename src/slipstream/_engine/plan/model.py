"""What a path operation asks for, as data: a tree of calls, the steps to the endpoint, its body and its response."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from slipstream._engine.abc import Limit
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.runtime.stream import usual_interval
from slipstream._engine.signature.kinds import unwrapped
from slipstream._engine.signature.model import Origin, Signature
from slipstream._engine.types import CallKind, ContextKind, DependencyScope, Scope, SlotSource
from slipstream.limits import COMPATIBLE, Limits


@dataclass(eq=False, slots=True)
class Call:
    """A callable that the user wrote, its parameters and its dependencies; the endpoint is the root of a tree."""

    signature: Signature
    path: str
    name: str | None = None
    """The parent's parameter that receives the result; None for the endpoint and for dependencies of a route or app."""
    path_params: Sequence[ModelField] = ()
    query_params: Sequence[ModelField] = ()
    header_params: Sequence[ModelField] = ()
    cookie_params: Sequence[ModelField] = ()
    body_params: Sequence[ModelField] = ()
    contexts: Sequence[tuple[str, ContextKind]] = ()
    dependencies: Sequence["Call"] = ()
    use_cache: bool = True
    scope: DependencyScope | None = None
    own_scopes: tuple[str, ...] = ()
    parent_scopes: tuple[str, ...] = ()
    limit: Limit | None = None
    replaces: "Call | None" = None
    """The call that an override replaces; both are shared by the same rule."""

    @property
    def call(self) -> Callable[..., Any]:
        return self.signature.call

    @property
    def kind(self) -> CallKind:
        return self.signature.kind

    @property
    def origin(self) -> Origin:
        return self.signature.origin

    @property
    def params(self) -> dict[SlotSource, Sequence[ModelField]]:
        """The parameters by source, in the order in which they are read."""
        return {
            "path": self.path_params,
            "query": self.query_params,
            "header": self.header_params,
            "cookie": self.cookie_params,
            "body": self.body_params,
        }

    @property
    def is_generator(self) -> bool:
        """Whether it is a `yield` dependency (or a streaming endpoint)."""
        return self.kind in ("gen", "async_gen")

    @property
    def lifetime(self) -> DependencyScope | None:
        """When it is closed; a `yield` dependency without a scope is closed after the response."""
        return self.scope or ("request" if self.is_generator else None)

    @property
    def oauth_scopes(self) -> tuple[str, ...]:
        """The scopes on the way from the endpoint to this call, each once, outermost first."""
        own = (scope for scope in dict.fromkeys(self.own_scopes) if scope not in self.parent_scopes)
        return (*self.parent_scopes, *own)

    def walk(self) -> Iterator["Call"]:
        """Yield this call, its dependencies and theirs, parents first."""
        yield self
        for dependency in self.dependencies:
            yield from dependency.walk()


CallKey: TypeAlias = tuple[Callable[..., Any], tuple[str, ...], str]
"""Calls with the same key are one call: the callable, the scopes that it can see, and when it is closed."""


def security_scheme(call: Callable[..., Any]) -> Any | None:
    """Return the security scheme inside of partials and decorators; None for any other callable."""
    bare: Any = unwrapped(call)
    if isinstance(bare, type) or inspect.isroutine(bare):
        return None
    # The engine may not import the class of schemes, so a scheme is known by its two attributes.
    is_scheme = isinstance(getattr(bare, "scheme_name", None), str) and hasattr(bare, "model")
    return bare if is_scheme else None


def call_key(call: Call) -> CallKey:
    """Return the key of a call, with its scopes only if they can make a difference to it or to a dependency of it."""
    scopes = tuple(sorted(set(call.oauth_scopes)))
    is_seen = any(
        bool(below.own_scopes)
        or any(kind == "scopes" for _, kind in below.contexts)
        or security_scheme(below.call) is not None
        for below in (call.walk() if scopes else ())
    )
    return call.call, scopes if is_seen else (), call.lifetime or ""


StreamKind: TypeAlias = Literal["jsonl", "sse", "raw"]

DUMP_OPTIONS: Final[Mapping[str, Any]] = {
    "include": None,
    "exclude": None,
    "by_alias": True,
    "exclude_unset": False,
    "exclude_defaults": False,
    "exclude_none": False,
}
"""The options of response models, which are arguments of Pydantic's `dump_*` methods, and their defaults."""


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """How the endpoint's result becomes a response."""

    dump_options: Mapping[str, Any] = field(default_factory=lambda: DUMP_OPTIONS)
    status_code: int | None = None
    response_class: type[Any] | None = None
    """If it is None, Pydantic writes the JSON bytes."""
    field: ModelField | None = None
    """The response model; None if the result is encoded without validation."""
    stream: StreamKind | None = None
    """How the items of a generator endpoint are framed; None for other endpoints."""
    is_events: bool = False
    """Whether what an endpoint returns, and does not yield, is iterated into a stream of events."""
    item_field: ModelField | None = None
    """The model of each streamed item."""
    ping_interval: Callable[[], float] = usual_interval
    """Returns the seconds of silence after which a stream of events sends a ping."""


@dataclass(frozen=True, slots=True)
class BodyPlan:
    """How the body is read."""

    kind: Literal["json", "form"]
    fields: Sequence[ModelField]
    """All body parameters of the endpoint and its dependencies, in the order of the tree."""
    embed: bool
    """Whether the body is an object with one key per parameter."""
    strict: bool
    """Whether JSON without a content type is refused."""
    documented: ModelField
    """The field that describes the whole body in OpenAPI."""


@dataclass(frozen=True, slots=True)
class Take:
    """Read one value from the request and validate it, for a parameter of `call`."""

    call: Call
    field: ModelField
    source: SlotSource


Condition: TypeAlias = Literal["always", "unless wrong", "unless wrong since mark"]
"""When a dependency is called: only if there are no errors, or none since its `Mark`."""


@dataclass(frozen=True, slots=True)
class Solve:
    """Call a dependency."""

    call: Call
    shared: bool
    """Whether later places use the result; if there is a condition, they repeat the errors too."""
    condition: Condition = "always"


@dataclass(frozen=True, slots=True)
class Again:
    """Use a shared result again: `call` is this place, `first` the call that was made."""

    call: Call
    first: Call


Step: TypeAlias = Take | Solve | Again
"""A step of a plan."""


@dataclass(eq=False)
class Plan:
    """All that is known about one path operation; its handler and its part of the OpenAPI document are made from it."""

    protocol: Literal["http", "websocket", "event"]
    label: str
    """Its name for people: "GET /items/{item_id}"."""
    root: Call
    body: BodyPlan | None
    response: ResponseSpec
    path_strings: frozenset[str] = frozenset()
    """Path parameters whose converter gives a string."""
    limits: Limits = COMPATIBLE

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps before the endpoint's call: dependencies before the call that needs them, then its own values."""
        steps = list(_feed(self.root, []))
        shared = {id(step.first) for step in steps if isinstance(step, Again)}
        return tuple(Solve(step.call, id(step.call) in shared) if isinstance(step, Solve) else step for step in steps)

    @property
    def calls(self) -> Iterator[Call]:
        """All calls in the order in which they are made; the endpoint is last."""
        for step in self.steps:
            if isinstance(step, Solve):
                yield step.call
        yield self.root

    @property
    def objects(self) -> frozenset[ContextKind]:
        """The context objects that calls ask for."""
        return frozenset(kind for call in self.calls for _, kind in call.contexts)

    @property
    def is_form(self) -> bool:
        return self.body is not None and self.body.kind == "form"

    @property
    def shows_scope(self) -> bool:
        """Whether a call gets an object that shows the scope, or a form is read through one."""
        return self.is_form or not self.objects.isdisjoint(("request", "connection", "websocket"))

    def where(self, scope: Scope | None) -> dict[str, Any]:
        """Return the endpoint's function, file, line and path, as errors carry them."""
        verb, mount = self.label.partition(" ")[0], ""
        if scope is not None:
            verb = scope.get("method", verb)
            mount = scope.get("root_path", "").rstrip("/")
        origin = self.root.origin
        facts = {"file": origin.file, "line": origin.line, "function": getattr(self.root.call, "__name__", None)}
        known = {key: value for key, value in facts.items() if value is not None}
        return {**known, "path": f"{verb} {mount}{self.root.path}"}


def _feed(call: Call, solved: list[tuple[CallKey, Call]]) -> Iterator[Step]:
    """Yield the steps before a call; `solved` is a list, since some callables have no hash and few routes have many."""
    for dependency in call.dependencies:
        key = call_key(dependency.replaces or dependency)
        first = next((made for known, made in solved if known == key), None)
        if first is not None and dependency.use_cache:
            yield Again(dependency, first)
            continue
        yield from _feed(dependency, solved)
        yield Solve(dependency, False)
        if first is None:
            solved.append((key, dependency))
    for source, fields in call.params.items():
        yield from (Take(call, field, source) for field in fields)
