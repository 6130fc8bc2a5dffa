"""From a plan to a program: every decision about one handler, taken before a word of it is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from slipstream._engine.plan.failing import Errors, Failing
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.hops import endpoint_hop, given_back, rows
from slipstream._engine.plan.model import (
    Act,
    Await,
    Call,
    Check,
    Condition,
    Encode,
    Exits,
    Hop,
    Invoke,
    Leave,
    Mark,
    Open,
    Plan,
    ReadBody,
    Refuse,
    Solve,
    Step,
    Take,
    TakeAbsent,
    TakeForm,
    TakeJson,
)
from slipstream._engine.schema.aliases import has_aliases
from slipstream._engine.schema.json_mode import is_json_safe
from slipstream._engine.schema.trust import trusted_model
from slipstream._engine.schema.user_code import may_run_user_code

FEW_HEADERS = 2
"""As many headers are looked up one by one; for more, a dictionary of all is cheaper."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What decisions depend on beside the plan.

    `gives` says what comes of the endpoint's result: messages to a server, a Response object, nothing but its value, or
    nothing. `has_request` says that the handler is called with a Request. `shows_steps` says that an observer sees each
    step: the body as values, every call in a hop of its own, all errors and arguments together.
    """

    gives: Literal["messages", "response", "value", "nothing"] = "messages"
    has_request: bool = False
    shows_steps: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """What one handler does, decided to the end.

    `feeding` leads up to the endpoint's call; `ending` is that call and what is made of its result. A hop that makes
    the endpoint's call may begin before it, and then belongs to the ending.
    """

    plan: Plan
    read: ReadBody | None
    feeding: tuple[Act, ...]
    ending: tuple[Act, ...]
    errors: Errors
    makes_request: bool
    """Whether a Request is made, because somebody asks for it or reads the body from it."""
    reads_request: bool
    """Whether the body is read from a Request, which keeps it for the user's code."""
    reads_scope: bool
    """Whether a value is read from the scope, or shown in a Request."""
    keeps_raw: bool
    """Whether the body is read as bytes without a Request, so that exception handlers need them."""
    searches_headers: bool
    """Whether headers are looked up one by one, and no dictionary is made of them."""
    is_shielded: bool
    """Whether a dependency may have a cancel scope of its own open, and needs a shield around it."""
    closing: Leave | None
    """How dependencies are closed that last until the endpoint has returned; None if nothing is to be closed."""
    exits: Leave | None
    """How what lasts until after the response is closed."""

    @property
    def is_gathering(self) -> bool:
        """Whether errors are gathered in a list."""
        return self.errors == "gathered"

    @property
    def fast_body(self) -> ModelField | None:
        """The parameter that is the whole JSON body and is validated straight from its bytes."""
        return None if self.read is None else self.read.fast

    @property
    def response(self) -> Encode | None:
        """How the result is encoded, wherever that is done."""
        return next((act for act in flat(self.ending) if isinstance(act, Encode)), None)


def flat(acts: Sequence[Act]) -> Iterator[Act]:
    """List acts, and those inside of hops in the hop's place."""
    for act in acts:
        if isinstance(act, Hop):
            yield from act.steps
        else:
            yield act


def arrange(plan: Plan, manner: Manner) -> Program:
    """Decide how a plan is carried out.

    Args:
        plan: What is to be done.
        manner: How the handler is called, and what it gives.
    """
    failing = Failing(plan, raises_late=manner.shows_steps)
    read = _read_body(plan, manner)
    refined = _Refined(plan, failing, read)
    may_share = manner.gives != "nothing" and not manner.shows_steps and plan.root.kind == "sync"
    first = endpoint_hop(plan) if may_share else len(plan.steps)
    feeding = [*(refined.steps if manner.shows_steps else refined.in_rows)(plan.steps[:first])]
    before = [*refined.steps(plan.steps[first:])]
    if failing.errors == "gathered":
        (before or feeding).append(Refuse())
    opened = [act for act in flat([*feeding, *before]) if isinstance(act, Open)]
    is_shielded = any(act.is_shielded for act in opened)
    ending = _ending(plan, manner, before)
    is_json = plan.body is not None and plan.body.kind == "json"
    headers = sum(isinstance(step, Take) and step.source == "header" for step in plan.steps)
    has_request = manner.has_request or manner.shows_steps or not plan.objects.isdisjoint(("request", "connection"))
    return Program(
        plan=plan,
        read=read,
        feeding=tuple(_parsed_once(feeding, [*feeding, *ending])),
        ending=ending,
        errors=failing.errors,
        makes_request=plan.protocol != "websocket" and not manner.has_request and (has_request or plan.is_form),
        reads_request=has_request,
        reads_scope=has_request or any(isinstance(step, Take) and step.source != "body" for step in plan.steps),
        keeps_raw=is_json and not has_request,
        searches_headers=headers + is_json <= FEW_HEADERS,
        is_shielded=is_shielded,
        closing=_leave("closing", opened, is_more=False),
        exits=_leave("exits", opened, is_more=plan.is_form or is_shielded),
    )


def _parsed_once(acts: Sequence[Act], all_acts: Sequence[Act]) -> Iterator[Act]:
    """Have hops share what is read again after them."""
    for place, act in enumerate(acts):
        if isinstance(act, Hop):
            later = {step.source for step in flat(all_acts[place + 1 :]) if isinstance(step, Take)}
            shares = [step for step in act.steps if isinstance(step, Take) and step.source in later]
            act = replace(act, shares=tuple(shares))
        yield act


def _leave(exits: Exits, opened: Sequence[Open], *, is_more: bool) -> Leave | None:
    """Say how a list is closed.

    Args:
        is_more: Whether there is more on it than dependencies.
    """
    mine = [act for act in reversed(opened) if act.exits == exits]
    if not mine and not is_more:
        return None
    is_simple = not is_more and all(act.is_simple for act in mine)
    return Leave(exits, tuple(act.call for act in mine), is_simple)


def _read_body(plan: Plan, manner: Manner) -> ReadBody | None:
    body = plan.body
    if body is None:
        return None
    is_whole = body.kind == "json" and not body.embed and len(body.fields) == 1
    if not is_whole or manner.shows_steps or not is_json_safe(body.fields[0].checker.core_schema):
        return ReadBody(body, None, is_first=False)
    first = plan.steps[0]
    return ReadBody(body, body.fields[0], is_first=isinstance(first, Take) and first.field is body.fields[0])


class _Refined:
    """Refines a plan's steps, some at a time: when each call may be made, and where a body's parts come from."""

    def __init__(self, plan: Plan, failing: Failing, read: ReadBody | None) -> None:
        self.plan, self.failing, self.read = plan, failing, read
        self.solves = [step.call for step in plan.steps if isinstance(step, Solve)]
        self.conditions: dict[int, Condition] = {}
        self.seen_forms: set[int] = set()
        self.may_be_wrong = False
        """Whether there may be an error already when the next step is taken."""

    def in_rows(self, steps: Sequence[Step]) -> Iterator[Act]:
        """Refine the next ones, with one hop for each row of calls that a worker can make."""
        for part, is_row in rows(steps, self.failing):
            if not is_row:
                yield from self.steps(part)
                continue
            for step in part:
                yield from self._enter(step)
            inner = tuple(self.steps(part))
            yield Hop(inner, given_back(self.plan, inner))

    def steps(self, steps: Sequence[Step]) -> Iterator[Act]:
        """Refine the next ones."""
        for step in steps:
            yield from self._enter(step)
            if isinstance(step, Solve):
                kind = Open if step.call.is_generator else Solve
                yield kind(step.call, step.shared, self.conditions[id(step.call)])
            elif isinstance(step, Take):
                yield from self._taken(step)
                self.may_be_wrong = self.may_be_wrong or self.failing.can_fail(step)
            else:
                yield step

    def _enter(self, step: Step) -> Iterator[Mark]:
        """Decide about the dependencies whose values begin to be read with this step, outermost first."""
        for call in reversed(self.solves):
            if id(call) in self.conditions or not _contains(call, step.call):
                continue
            condition: Condition = "always"
            if self.failing.errors == "gathered" and self.failing.below(call):
                condition = "unless wrong since mark" if self.may_be_wrong else "unless wrong"
            self.conditions[id(call)] = condition
            if condition == "unless wrong since mark":
                yield Mark(call)

    def _taken(self, step: Take) -> Iterator[Take]:
        if step.source != "body":
            yield step
        elif self.read is None:
            yield TakeAbsent(step.call, step.field, step.source)
        elif self.read.body.kind == "form":
            if id(step.call) not in self.seen_forms:
                self.seen_forms.add(id(step.call))
                yield TakeForm(step.call, step.field, step.source)
        elif step.field is not self.read.fast or not self.read.is_first:
            yield TakeJson(step.call, step.field, step.source, is_retry=step.field is self.read.fast)


def _contains(call: Call, wanted: Call) -> bool:
    return wanted is call or any(_contains(dependency, wanted) for dependency in call.dependencies)


def _ending(plan: Plan, manner: Manner, before: Sequence[Act]) -> tuple[Act, ...]:
    """Decide who calls the endpoint, and who validates and encodes the result.

    Args:
        before: What the endpoint's worker does before the call.
    """
    call, item = Invoke(is_kept=manner.gives != "nothing"), plan.response.field
    encode = _encode(plan, manner)
    if encode is not None and encode.into == "stream":
        return (encode,)
    after: tuple[Act, ...] = () if encode is None else (encode,)
    if manner.gives == "value" and plan.root.kind == "sync":
        after = (Await(),)
    is_by_worker = plan.root.kind == "sync" and not manner.shows_steps
    if encode is None or item is None or not is_by_worker:
        return (Hop((*before, call), (call,)), *after) if before else (call, *after)
    if encode.into == "bytes" and not may_run_user_code(item.checker.core_schema):
        return (Hop((*before, call, encode), (call, encode)),)
    return (Hop((*before, call, Check(item)), (call,)), replace(encode, is_checked=True, trusts=None))


def _encode(plan: Plan, manner: Manner) -> Encode | None:
    response = plan.response
    if manner.gives in ("value", "nothing"):
        return None
    if response.stream is not None:
        return Encode("stream")
    if response.response_class is not None or manner.gives == "response":
        return Encode("response")
    if response.field is None:
        return Encode("bytes")
    trusts = None if manner.shows_steps else trusted_model(response.field.checker.core_schema)
    return Encode("bytes", trusts=trusts, options=_telling(response.dump_options, response.field))


def _telling(options: dict[str, Any], item: ModelField) -> dict[str, Any]:
    """The options of dumping that make a difference; aliases do where there are any."""
    is_named = not has_aliases(item.checker.core_schema)
    return {
        key: value
        for key, value in options.items()
        if (not is_named if key == "by_alias" else value is not None and value is not False)
    }
