"""From a plan to a program: all decisions about one handler, before its text is written."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from slipstream._engine.plan.body import form_models, should_embed
from slipstream._engine.plan.failing import Failing
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.hops import endpoint_hop, given_back, rows
from slipstream._engine.plan.model import Condition, Plan, Solve, Step, Take
from slipstream._engine.plan.program import (
    Act,
    Await,
    Check,
    Encode,
    Exits,
    Hop,
    Invoke,
    Leave,
    Manner,
    Mark,
    Open,
    Program,
    ReadBody,
    Refuse,
    TakeForm,
    TakeJson,
    flat,
)
from slipstream._engine.schema.questions import has_aliases, is_json_safe, may_run_user_code, trusted_model

FEW_HEADERS = 2
"""Up to this number, headers are looked up one by one; for more, a dictionary of all headers is cheaper."""


def arrange(plan: Plan, manner: Manner) -> Program:
    """Decide how a plan is carried out by a handler of some manner."""
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
    """Set in each hop which of its steps read a part of the request that is read again after the hop."""
    for place, act in enumerate(acts):
        if isinstance(act, Hop):
            later = {step.source for step in flat(all_acts[place + 1 :]) if isinstance(step, Take)}
            shares = [step for step in act.steps if isinstance(step, Take) and step.source in later]
            act = replace(act, shares=tuple(shares))
        yield act


def _leave(exits: Exits, opened: Sequence[Open], *, is_more: bool) -> Leave | None:
    """Decide how a list is closed; `is_more` says whether it holds other things than dependencies."""
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
    """Turns a plan's steps into a program's: adds conditions, and chooses how each body parameter is read."""

    def __init__(self, plan: Plan, failing: Failing, read: ReadBody | None) -> None:
        self.plan, self.failing, self.read = plan, failing, read
        self.solves = [step.call for step in plan.steps if isinstance(step, Solve)]
        self.conditions: dict[int, Condition] = {}
        self.may_be_wrong = False
        """Whether a step so far can have added an error."""

    def in_rows(self, steps: Sequence[Step]) -> Iterator[Act]:
        """Refine the next steps, with one hop for each row of calls that one worker can make."""
        for part, is_row in rows(steps, self.failing):
            if not is_row:
                yield from self.steps(part)
                continue
            for step in part:
                yield from self._enter(step)
            inner = tuple(self.steps(part))
            yield Hop(inner, given_back(self.plan, inner))

    def steps(self, steps: Sequence[Step]) -> Iterator[Act]:
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
        """Decide the conditions of the calls whose first step this is, outermost first."""
        for call in reversed(self.solves):
            if id(call) in self.conditions or step.call not in call.walk():
                continue
            condition: Condition = "always"
            if self.failing.errors == "gathered" and self.failing.below(call):
                condition = "unless wrong since mark" if self.may_be_wrong else "unless wrong"
            self.conditions[id(call)] = condition
            if condition == "unless wrong since mark":
                yield Mark(call)

    def _taken(self, step: Take) -> Iterator[Take]:
        read, own = self.read, step.call.body_params
        if step.source != "body":
            yield step
        elif read is None:
            by_key = should_embed(flat_body_params(self.plan.root))
            yield TakeJson(step.call, step.field, step.source, by_key, is_retry=False)
        elif read.body.kind == "json":
            if step.field is not read.fast or not read.is_first:
                yield TakeJson(step.call, step.field, step.source, read.body.embed, is_retry=step.field is read.fast)
        elif step.field is own[0]:
            is_whole = len(own) == 1 and not read.body.embed and not form_models(step.field)
            yield TakeForm(step.call, step.field, step.source, is_whole)


def _ending(plan: Plan, manner: Manner, before: Sequence[Act]) -> tuple[Act, ...]:
    """Decide whether a worker does the steps `before` and calls the endpoint, and whether it validates and encodes."""
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
    schema = response.field.checker.core_schema
    trusts = None if manner.shows_steps else trusted_model(schema)
    is_aliased = has_aliases(schema)
    options = {
        key: value
        for key, value in response.dump_options.items()
        if (is_aliased if key == "by_alias" else value is not None and value is not False)
    }
    return Encode("bytes", trusts=trusts, options=options)
