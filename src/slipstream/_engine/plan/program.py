"""What one handler does, as data: the steps of a plan, refined, and all decisions that the text depends on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Again, BodyPlan, Call, Plan, Solve, Take
from slipstream._engine.signature.kinds import may_hold_scopes, may_wait

Errors: TypeAlias = Literal["none", "at once", "gathered"]
"""There can be none; the only possible one is raised where it is found; or all are raised together."""

Exits: TypeAlias = Literal["closing", "exits"]
"""Lists of open things: `closing` is closed when the endpoint has returned, `exits` after the response."""


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Read the body, before all other steps."""

    body: BodyPlan
    fast: ModelField | None
    """The parameter that is the whole JSON body and is validated from its bytes."""
    is_first: bool
    """Whether `fast` is the first value of the plan: then this step adds its errors, else a later `TakeJson` does."""


@dataclass(frozen=True, slots=True)
class TakeJson(Take):
    """Validate a parameter's part of a JSON body; where a protocol has no body, all of them are missing."""

    by_key: bool
    """Whether the body is an object with a key for it."""
    is_retry: bool
    """Whether `ReadBody` has validated the bytes: then only its errors are found here."""


@dataclass(frozen=True, slots=True)
class TakeForm(Take):
    """Validate all form parameters of a call; `field` is the first of them."""

    is_whole: bool
    """Whether `field` is the only one, and is given the form as a mapping."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Count the errors before anything is read for a call."""

    call: Call


@dataclass(frozen=True, slots=True)
class Open(Solve):
    """Run a `yield` dependency up to its `yield`."""

    @property
    def exits(self) -> Exits:
        """The list from which it is closed."""
        return "closing" if self.call.scope == "function" else "exits"

    @property
    def is_shielded(self) -> bool:
        """Whether it may yield inside a cancel scope of its own; a thread cannot have one."""
        return self.call.kind == "async_gen" and may_hold_scopes(self.call.call)

    @property
    def raises_not_yielded(self) -> bool:
        """Whether the runtime function that opens it raises `DidNotYield`."""
        return self.call.kind == "gen" or self.is_shielded

    @property
    def is_simple(self) -> bool:
        """Whether no runtime function is needed to close it: nothing is to be released, or to be shielded meanwhile."""
        is_plain = self.call.kind == "async_gen" and self.call.limit is None
        return is_plain and not self.is_shielded and not may_wait(self.call.call)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Raise the gathered errors, if there are any."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the endpoint; `is_kept` says whether its result is used."""

    is_kept: bool


@dataclass(frozen=True, slots=True)
class Await:
    """Await the result of a sync endpoint if it is awaitable."""


@dataclass(frozen=True, slots=True)
class Check:
    """Validate the endpoint's result, unless it is a Response."""

    field: ModelField


@dataclass(frozen=True, slots=True)
class Encode:
    """Encode the endpoint's result as JSON bytes, as a Response, or as a Response that streams what it yields."""

    into: Literal["bytes", "response", "stream"]
    is_checked: bool = False
    """Whether a `Check` has validated it."""
    trusts: type[Any] | None = None
    """The model whose instances are not validated."""
    options: dict[str, Any] = field(default_factory=dict)
    """Arguments of Pydantic's serializer that differ from its defaults."""


@dataclass(frozen=True, slots=True)
class Hop:
    """Do several steps in one worker thread."""

    steps: "tuple[Act, ...]"
    gives: "tuple[Act, ...]"
    """The steps whose values are used after the hop."""
    shares: tuple[Take, ...] = ()
    """The steps that read a part of the request which later steps read too: it is parsed before the hop."""


Act: TypeAlias = ReadBody | Take | Solve | Again | Mark | Refuse | Invoke | Await | Check | Encode | Hop
"""A step of a program."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Close what a list holds: `calls` are its dependencies, in the order in which they are closed."""

    exits: Exits
    calls: tuple[Call, ...]
    is_simple: bool
    """Whether there is nothing on the list but dependencies that are `Open.is_simple`."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What decisions depend on beside the plan."""

    gives: Literal["messages", "response", "value", "nothing"] = "messages"
    """What becomes of the endpoint's result: ASGI messages, a Response, the value itself, or nothing."""
    has_request: bool = False
    """Whether the handler is called with a Request."""
    shows_steps: bool = False
    """Whether an observer sees each step: no fast body, no shared hops, all errors and arguments together."""


@dataclass(frozen=True, slots=True)
class Program:
    """What one handler does; nothing is left to decide."""

    plan: Plan
    read: ReadBody | None
    feeding: tuple[Act, ...]
    """The steps before the endpoint's call."""
    ending: tuple[Act, ...]
    """The endpoint's call and the encoding of its result; its first step may be a hop that begins before the call."""
    errors: Errors
    makes_request: bool
    """Whether a Request is made, because a call asks for it or the body is read from it."""
    reads_request: bool
    """Whether the body is read from a Request, which keeps it for the user's code."""
    reads_scope: bool
    """Whether the scope is read, or shown in a Request."""
    keeps_raw: bool
    """Whether the body is read as bytes without a Request, so that exception handlers need the bytes."""
    searches_headers: bool
    """Whether headers are looked up one by one."""
    is_shielded: bool
    """Whether a dependency may yield inside a cancel scope of its own and needs a shield."""
    closing: Leave | None
    exits: Leave | None
    """How the lists of open things are closed; None if nothing can be on one."""

    @property
    def fast_body(self) -> ModelField | None:
        return None if self.read is None else self.read.fast

    @property
    def response(self) -> Encode | None:
        """The step that encodes the result; None if there is none."""
        return next((act for act in flat(self.ending) if isinstance(act, Encode)), None)


def flat(acts: Sequence[Act]) -> Iterator[Act]:
    """Yield steps, with the steps of a hop in the hop's place."""
    for act in acts:
        yield from act.steps if isinstance(act, Hop) else (act,)
