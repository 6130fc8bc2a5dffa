"""From a plan to a program: all decisions about one handler, before its text is written.

Neighbouring calls may share a worker thread, a *hop*. They share the thread alone: each has its own context, and none
begins after the waiting task has been cancelled. User code that FastAPI runs in the event loop (validators of
parameters, serializers) stays there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import dropwhile, groupby

from slipstream._engine.plan import program
from slipstream._engine.plan.body import form_models, should_embed
from slipstream._engine.plan.fields import is_plain_str
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.model import Again, Call, Condition, Plan, Solve, Step, Take
from slipstream._engine.schema import has_aliases, is_json_safe, may_run_user_code, trusted_model

FEW_HEADERS = 2
"""Up to this number, headers are looked up one by one; for more, a dictionary of all headers is cheaper."""


def arrange(plan: Plan, manner: program.Manner) -> program.Program:
    """Decide how a plan is carried out by a handler of some manner."""
    failing = Failing(plan, raises_late=manner.shows_steps)
    read = _read_body(plan, manner)
    refined = _Refined(plan, failing, read)
    may_share = manner.gives != "nothing" and not manner.shows_steps and plan.root.kind == "sync"
    first = endpoint_hop(plan) if may_share else len(plan.steps)
    feeding = [*(refined.steps if manner.shows_steps else refined.in_rows)(plan.steps[:first])]
    before = [*refined.steps(plan.steps[first:])]
    if failing.errors == "gathered":
        (before or feeding).append(program.Refuse())
    opened = [act for act in program.flat([*feeding, *before]) if isinstance(act, program.Open)]
    is_shielded = any(act.is_shielded for act in opened)
    ending = _ending(plan, manner, before)
    is_json = plan.body is not None and plan.body.kind == "json"
    headers = sum(isinstance(step, Take) and step.source == "header" for step in plan.steps)
    has_request = manner.has_request or manner.shows_steps or not plan.objects.isdisjoint(("request", "connection"))
    return program.Program(
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


def _parsed_once(acts: Sequence[program.Act], all_acts: Sequence[program.Act]) -> Iterator[program.Act]:
    """Set in each hop which of its steps read a part of the request that is read again after the hop."""
    for place, act in enumerate(acts):
        if isinstance(act, program.Hop):
            later = {step.source for step in program.flat(all_acts[place + 1 :]) if isinstance(step, Take)}
            shares = [step for step in act.steps if isinstance(step, Take) and step.source in later]
            act = replace(act, shares=tuple(shares))
        yield act


def _leave(exits: program.Exits, opened: Sequence[program.Open], *, is_more: bool) -> program.Leave | None:
    """Decide how a list is closed; `is_more` says whether it holds other things than dependencies."""
    mine = [act for act in reversed(opened) if act.exits == exits]
    if not mine and not is_more:
        return None
    is_simple = not is_more and all(act.is_simple for act in mine)
    return program.Leave(exits, tuple(act.call for act in mine), is_simple)


def _read_body(plan: Plan, manner: program.Manner) -> program.ReadBody | None:
    body = plan.body
    if body is None:
        return None
    is_whole = body.kind == "json" and not body.embed and len(body.fields) == 1
    if not is_whole or manner.shows_steps or not is_json_safe(body.fields[0].checker.core_schema):
        return program.ReadBody(body, None, is_first=False)
    first = plan.steps[0]
    return program.ReadBody(body, body.fields[0], is_first=isinstance(first, Take) and first.field is body.fields[0])


class Failing:
    """Where a request can have an error; `raises_late` gathers all, since an observer wants to see all arguments."""

    def __init__(self, plan: Plan, *, raises_late: bool) -> None:
        self.plan = plan
        self.takes = [step for step in plan.steps if isinstance(step, Take) and self.can_fail(step)]
        self.agains = [(step.call, step.first) for step in plan.steps if isinstance(step, Again)]
        self.errors: program.Errors = "none"
        if self.takes:
            self.errors = "gathered" if raises_late or not self._is_raised_at_once() else "at once"

    def can_fail(self, step: Take) -> bool:
        if step.source == "path" and step.field.alias in self.plan.path_strings and is_plain_str(step.field):
            return False
        if step.source == "body" or not is_plain_str(step.field) or step.field.field_info.validate_default:
            return True
        return step.field.required

    def below(self, call: Call) -> bool:
        """Whether reading the values of a call or of its dependencies can fail."""
        below = {id(inner) for inner in call.walk()}
        firsts = {id(first) for place, first in self.agains if id(place) in below}
        return any(id(step.call) in below for step in self.takes) or any(
            self.below(step.call) for step in self.plan.steps if isinstance(step, Solve) and id(step.call) in firsts
        )

    def _is_raised_at_once(self) -> bool:
        """Whether a single step can fail, its error appears once, and all later calls need its value."""
        if len(self.takes) != 1 or any(self.below(first) for _, first in self.agains):
            return False
        after = dropwhile(lambda step: step is not self.takes[0], self.plan.steps)
        return all(self.below(step.call) for step in after if isinstance(step, Solve))


class _Refined:
    """Turns a plan's steps into a program's: adds conditions, and chooses how each body parameter is read."""

    def __init__(self, plan: Plan, failing: Failing, read: program.ReadBody | None) -> None:
        self.plan, self.failing, self.read = plan, failing, read
        self.solves = [step.call for step in plan.steps if isinstance(step, Solve)]
        self.conditions: dict[int, Condition] = {}
        self.may_be_wrong = False
        """Whether a step so far can have added an error."""

    def in_rows(self, steps: Sequence[Step]) -> Iterator[program.Act]:
        """Refine the next steps, with one hop for each row of calls that one worker can make."""
        for part, is_row in rows(steps, self.failing):
            if not is_row:
                yield from self.steps(part)
                continue
            for step in part:
                yield from self._enter(step)
            inner = tuple(self.steps(part))
            yield program.Hop(inner, given_back(self.plan, inner))

    def steps(self, steps: Sequence[Step]) -> Iterator[program.Act]:
        for step in steps:
            yield from self._enter(step)
            if isinstance(step, Solve):
                kind = program.Open if step.call.is_generator else Solve
                yield kind(step.call, step.shared, self.conditions[id(step.call)])
            elif isinstance(step, Take):
                yield from self._taken(step)
                self.may_be_wrong = self.may_be_wrong or self.failing.can_fail(step)
            else:
                yield step

    def _enter(self, step: Step) -> Iterator[program.Mark]:
        """Decide the conditions of the calls whose first step this is, outermost first."""
        for call in reversed(self.solves):
            if id(call) in self.conditions or step.call not in call.walk():
                continue
            condition: Condition = "always"
            if self.failing.errors == "gathered" and self.failing.below(call):
                condition = "unless wrong since mark" if self.may_be_wrong else "unless wrong"
            self.conditions[id(call)] = condition
            if condition == "unless wrong since mark":
                yield program.Mark(call)

    def _taken(self, step: Take) -> Iterator[Take]:
        read, own = self.read, step.call.body_params
        if step.source != "body":
            yield step
        elif read is None:
            by_key = should_embed(flat_body_params(self.plan.root))
            yield program.TakeJson(step.call, step.field, step.source, by_key, is_retry=False)
        elif read.body.kind == "json":
            if step.field is not read.fast or not read.is_first:
                yield program.TakeJson(
                    step.call, step.field, step.source, read.body.embed, is_retry=step.field is read.fast
                )
        elif step.field is own[0]:
            is_whole = len(own) == 1 and not read.body.embed and not form_models(step.field)
            yield program.TakeForm(step.call, step.field, step.source, is_whole)


def _ending(plan: Plan, manner: program.Manner, before: Sequence[program.Act]) -> tuple[program.Act, ...]:
    """Decide whether a worker does the steps `before` and calls the endpoint, and whether it validates and encodes."""
    call, item = program.Invoke(is_kept=manner.gives != "nothing"), plan.response.field
    encode = _encode(plan, manner)
    if encode is not None and encode.into == "stream":
        return (encode,)
    after: tuple[program.Act, ...] = () if encode is None else (encode,)
    if manner.gives == "value" and plan.root.kind == "sync":
        after = (program.Await(),)
    is_by_worker = plan.root.kind == "sync" and not manner.shows_steps
    if encode is None or item is None or not is_by_worker:
        return (program.Hop((*before, call), (call,)), *after) if before else (call, *after)
    if encode.into == "bytes" and not may_run_user_code(item.checker.core_schema):
        return (program.Hop((*before, call, encode), (call, encode)),)
    return (program.Hop((*before, call, program.Check(item)), (call,)), replace(encode, is_checked=True, trusts=None))


def _encode(plan: Plan, manner: program.Manner) -> program.Encode | None:
    response = plan.response
    if manner.gives in ("value", "nothing"):
        return None
    if response.stream is not None:
        return program.Encode("stream")
    if response.response_class is not None or manner.gives == "response":
        return program.Encode("response")
    if response.field is None:
        return program.Encode("bytes")
    schema = response.field.checker.core_schema
    trusts = None if manner.shows_steps else trusted_model(schema)
    is_aliased = has_aliases(schema)
    options = {
        key: value
        for key, value in response.dump_options.items()
        if (is_aliased if key == "by_alias" else value is not None and value is not False)
    }
    return program.Encode("bytes", trusts=trusts, options=options)


def endpoint_hop(plan: Plan) -> int:
    """Return the index of the first step that the endpoint's worker does; the number of steps if it does none."""
    first = len(plan.steps)
    for place in reversed(range(len(plan.steps))):
        if not _fits(plan, plan.steps[place]):
            break
        if isinstance(plan.steps[place], Solve):
            first = place
    return first


def rows(steps: Sequence[Step], failing: Failing) -> Iterator[tuple[Sequence[Step], bool]]:
    """Yield the steps in parts, and whether each is a row for one worker: two calls or more, no step that can fail."""
    for fits, group in groupby(steps, partial(_fits_row, failing)):
        part = list(group)
        calls = [place for place, step in enumerate(part) if isinstance(step, Solve)]
        first, end = (calls[0], calls[-1] + 1) if fits and len(calls) > 1 else (0, 0)
        yield part[:first], False
        yield part[first:end], end > 0
        yield part[end:], False


def given_back(plan: Plan, row: Sequence[program.Act]) -> tuple[program.Act, ...]:
    """List the steps of a row whose values are used after it."""
    solved = {id(step.call) for step in row if isinstance(step, Solve)}
    inside = {id(part) for call in plan.calls if id(call) in solved for part in call.dependencies}
    found: list[program.Act] = []
    for step in row:
        if isinstance(step, Take) and id(step.call) not in solved:
            found.append(step)
        if isinstance(step, Solve) and (step.shared or (step.call.name is not None and id(step.call) not in inside)):
            found.append(step)
    return tuple(found)


def _fits(plan: Plan, step: Step) -> bool:
    """Whether a worker can do a step without a difference that users see."""
    if isinstance(step, Again):
        return True
    if isinstance(step, Solve):
        return step.call.kind in ("sync", "gen") and step.call.limit is None
    is_own = step.field.field_info.default_factory is None and not may_run_user_code(step.field.checker.core_schema)
    return is_own and not (step.source == "body" and plan.is_form)


def _fits_row(failing: Failing, step: Step) -> bool:
    """Whether a worker can do a step, and the step cannot add an error."""
    if isinstance(step, Take):
        is_sure = step.source != "body" and not failing.can_fail(step)
    else:
        is_sure = not failing.below(step.call if isinstance(step, Solve) else step.first)
    return (is_sure or failing.errors != "gathered") and _fits(failing.plan, step)
