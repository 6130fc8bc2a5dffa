"""What will be done for a request, as data: a tree of calls, and the steps in order.

The tree (`Call`) is what the user wrote and what the OpenAPI document is read from. The steps are
what the generated source does, one after the other. `build.py` makes both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from slipstream._engine.abc import Limit
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.runtime.stream import usual_interval
from slipstream._engine.signature.model import Origin, Signature
from slipstream._engine.types import CallKind, ContextKind, DependencyScope, SlotSource


@dataclass(eq=False, slots=True)
class Call:
    """One callable of the user's and everything that feeds it; the endpoint is the root of a tree.

    `name` is the parameter of the parent that receives the result; None where nobody receives it
    (the endpoint itself, and dependencies given by a route, a router or the app).
    """

    signature: Signature
    path: str
    name: str | None = None
    path_params: list[ModelField] = field(default_factory=list)
    query_params: list[ModelField] = field(default_factory=list)
    header_params: list[ModelField] = field(default_factory=list)
    cookie_params: list[ModelField] = field(default_factory=list)
    body_params: list[ModelField] = field(default_factory=list)
    contexts: list[tuple[str, ContextKind]] = field(default_factory=list)
    dependencies: list["Call"] = field(default_factory=list)
    use_cache: bool = True
    scope: DependencyScope | None = None
    own_scopes: tuple[str, ...] = ()
    parent_scopes: tuple[str, ...] = ()
    limit: Limit | None = None
    replaces: "Call | None" = None
    """The call that an override stands in for; it is shared as that one would be."""

    @property
    def call(self) -> Callable[..., Any]:
        """The callable itself."""
        return self.signature.call

    @call.setter
    def call(self, call: Callable[..., Any]) -> None:
        """Put a wrapper in place of the callable; it runs as the callable does."""
        self.signature = replace(self.signature, call=call)

    @property
    def kind(self) -> CallKind:
        """How it runs."""
        return self.signature.kind

    @property
    def origin(self) -> Origin:
        """Where the user wrote it."""
        return self.signature.origin

    @property
    def is_generator(self) -> bool:
        """Whether it is a `yield` dependency (or a streaming endpoint)."""
        return self.kind in ("gen", "async_gen")

    @property
    def lifetime(self) -> DependencyScope | None:
        """When it is closed; a `yield` dependency that does not say so closes after the response."""
        return self.scope or ("request" if self.is_generator else None)

    @property
    def oauth_scopes(self) -> tuple[str, ...]:
        """Scopes asked for on the way from the endpoint to here, each once, outermost first."""
        own = (scope for scope in dict.fromkeys(self.own_scopes) if scope not in self.parent_scopes)
        return (*self.parent_scopes, *own)


StreamKind: TypeAlias = Literal["jsonl", "sse", "raw"]


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """How the endpoint's result becomes a response.

    `response_class` is None while nobody chose one: then JSON is written straight from Pydantic.
    `field` is the response model, None where the result is encoded as it is. `stream` says that the
    endpoint is a generator and how its items are framed; `item_field` validates each of them.
    `ping_interval` tells after how many seconds of silence a stream of events pings.
    """

    status_code: int | None = None
    response_class: type[Any] | None = None
    field: ModelField | None = None
    stream: StreamKind | None = None
    item_field: ModelField | None = None
    ping_interval: Callable[[], float] = usual_interval
    include: Any = None
    exclude: Any = None
    by_alias: bool = True
    exclude_unset: bool = False
    exclude_defaults: bool = False
    exclude_none: bool = False

    @property
    def dump_options(self) -> dict[str, Any]:
        """The options as Pydantic's `dump_*` methods take them."""
        return {
            "include": self.include,
            "exclude": self.exclude,
            "by_alias": self.by_alias,
            "exclude_unset": self.exclude_unset,
            "exclude_defaults": self.exclude_defaults,
            "exclude_none": self.exclude_none,
        }


@dataclass(frozen=True, slots=True)
class BodyPlan:
    """How the body is read.

    `fields` are all body parameters of endpoint and dependencies, in the order they are asked for.
    `embed` says that the body is an object with one key per parameter. `strict` refuses JSON under a
    missing content type. `documented` is the one field that stands for the body in OpenAPI.
    """

    kind: Literal["json", "form"]
    fields: Sequence[ModelField]
    embed: bool
    strict: bool
    documented: ModelField
    form_limits: dict[str, int]


@dataclass(frozen=True, slots=True)
class Take:
    """Read one value from the request and validate it, for a parameter of `call`."""

    call: Call
    field: ModelField
    source: SlotSource


@dataclass(frozen=True, slots=True)
class Solve:
    """Call a dependency; `shared` says that later places use the result too."""

    call: Call
    shared: bool


@dataclass(frozen=True, slots=True)
class Again:
    """Use a result that is there already: `call` is this place, `first` the one that was solved."""

    call: Call
    first: Call


Step: TypeAlias = Take | Solve | Again


@dataclass(eq=False, slots=True)
class Plan:
    """Everything there is to know about one path operation; handler and OpenAPI are read from it.

    `label` names it for people: "GET /items/{item_id}".
    """

    protocol: Literal["http", "websocket"]
    label: str
    root: Call
    steps: tuple[Step, ...]
    body: BodyPlan | None
    response: ResponseSpec
    path_strings: frozenset[str] = frozenset()
    """Path parameters whose converter gives a string."""

    @property
    def calls(self) -> Iterator[Call]:
        """Every call that is made, dependencies in order, the endpoint last."""
        for step in self.steps:
            if isinstance(step, Solve):
                yield step.call
        yield self.root

    @property
    def shows_scope(self) -> bool:
        """Whether anybody is handed an object with the scope in it while all goes well."""
        asks = any(kind in ("request", "connection", "websocket") for call in self.calls for _, kind in call.contexts)
        return asks or (self.body is not None and self.body.kind == "form")
