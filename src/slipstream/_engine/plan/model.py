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
from slipstream._engine.signature.kinds import may_hold_scopes
from slipstream._engine.signature.model import Origin, Signature
from slipstream._engine.types import CallKind, ContextKind, DependencyScope, Scope, SlotSource


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
class ReadBody:
    """Read the body as a whole, before anything else.

    `fast` is the parameter that is the whole JSON body and is validated straight from the bytes. `is_first` says that
    nothing is read before it, so that its errors can be noted at once; else its `Take` comes later (`is_retry`).
    """

    body: BodyPlan
    fast: ModelField | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class Take:
    """Read one value from the request and validate it, for a parameter of `call`."""

    call: Call
    field: ModelField
    source: SlotSource


@dataclass(frozen=True, slots=True)
class TakeJson(Take):
    """Give a parameter its part of a JSON body.

    `is_retry` says that the bytes have been validated already, and that only their errors are still to be found.
    """

    is_retry: bool


@dataclass(frozen=True, slots=True)
class TakeForm(Take):
    """Give all form parameters of a call their values; `field` is the first of them."""


@dataclass(frozen=True, slots=True)
class TakeAbsent(Take):
    """Give a body parameter its default, or note that it is missing, where no body ever comes."""


Condition: TypeAlias = Literal["always", "unless wrong", "unless wrong since mark"]
"""When a dependency may be called: only if reading what it and its own dependencies need has found no error."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Note how many errors there are before anything is read for a call."""

    call: Call


@dataclass(frozen=True, slots=True)
class Solve:
    """Call a dependency; `shared` says that later places use the result too.

    With a condition, the errors of a shared one are kept, to be told at the later places again.
    """

    call: Call
    shared: bool
    condition: Condition = "always"


@dataclass(frozen=True, slots=True)
class Open(Solve):
    """Run a `yield` dependency up to its `yield`, and keep it open."""

    @property
    def exits(self) -> "Exits":
        """The list that keeps it."""
        return "closing" if self.call.scope == "function" else "exits"

    @property
    def is_shielded(self) -> bool:
        """Whether it may have a cancel scope of its own open where it yields; threads cannot have one."""
        return self.call.kind == "async_gen" and may_hold_scopes(self.call.call)

    @property
    def raises_not_yielded(self) -> bool:
        """Whether what opens it says by itself that it did not yield."""
        return self.call.kind == "gen" or self.is_shielded

    @property
    def is_simple(self) -> bool:
        """Whether it is an async generator and nothing more: no scope to shield, no place to give back."""
        return self.call.kind == "async_gen" and self.call.limit is None and not self.is_shielded


@dataclass(frozen=True, slots=True)
class Again:
    """Use a result that is there already: `call` is this place, `first` the one that was solved."""

    call: Call
    first: Call


Step: TypeAlias = Take | Solve | Again
"""What a plan consists of; a program refines it."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Raise the errors that have been gathered, if there are any."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the endpoint; `is_kept` says that something is made of its result."""

    is_kept: bool


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for the endpoint's result where a plain function has returned something to be awaited."""


@dataclass(frozen=True, slots=True)
class Check:
    """Validate the endpoint's result, unless it is a Response."""

    field: ModelField


@dataclass(frozen=True, slots=True)
class Encode:
    """Turn the endpoint's result into what is sent.

    `into` says what it becomes: JSON bytes, a Response object, or a Response that streams what the endpoint yields.
    `is_checked` says that a `Check` was before. Instances of `trusts` need no validation. `options` are the arguments
    of Pydantic's writer that make a difference.
    """

    into: Literal["bytes", "response", "stream"]
    is_checked: bool = False
    trusts: type[Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hop:
    """Do these steps in one worker thread; `gives` are those of them whose values are used afterwards.

    `shares` are those that read a part of the request which is read afterwards too: it is parsed before.
    """

    steps: "tuple[Act, ...]"
    gives: "tuple[Act, ...]"
    shares: tuple[Take, ...] = ()


Act: TypeAlias = ReadBody | Step | Mark | Refuse | Invoke | Await | Check | Encode | Hop
"""A step of a program."""

Exits: TypeAlias = Literal["closing", "exits"]
"""Lists of what is open: closed when the endpoint has returned, or after the response."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Close what a list holds: dependencies, last opened first; nothing but simple ones if it says so."""

    exits: Exits
    calls: tuple[Call, ...]
    is_simple: bool


@dataclass(eq=False, slots=True)
class Plan:
    """Everything there is to know about one path operation; handler and OpenAPI are read from it.

    `label` names it for people: "GET /items/{item_id}".
    """

    protocol: Literal["http", "websocket", "event"]
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
    def objects(self) -> frozenset[ContextKind]:
        """The objects that calls ask for."""
        return frozenset(kind for call in self.calls for _, kind in call.contexts)

    @property
    def is_form(self) -> bool:
        """Whether there is a body, and it is a form."""
        return self.body is not None and self.body.kind == "form"

    @property
    def shows_scope(self) -> bool:
        """Whether anybody is handed an object with the scope in it while all goes well."""
        return self.is_form or not self.objects.isdisjoint(("request", "connection", "websocket"))

    def where(self, scope: Scope | None) -> dict[str, Any]:
        """Tell where the endpoint is, for errors."""
        verb, mount = self.label.partition(" ")[0], ""
        if scope is not None:
            verb = scope.get("method", verb)
            mount = scope.get("root_path", "").rstrip("/")
        origin = self.root.origin
        facts = {"function": getattr(self.root.call, "__name__", None), "file": origin.file, "line": origin.line}
        told = {key: value for key, value in facts.items() if value is not None}
        return {**told, "path": f"{verb} {mount}{self.root.path}"}
