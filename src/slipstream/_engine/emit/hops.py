"""The text of a hop: which neighbouring calls one worker thread makes, and the function that makes them.

Calls of a hop share nothing but the thread. Each has a context of its own, and none is begun after the task that waits
has been cancelled, as if every call had its own hop. A user's code that FastAPI runs in the event loop, validators of
parameters and serializers of results, stays there, and ends a hop.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby

from slipstream._engine.emit.draft import Draft
from slipstream._engine.plan.model import Again, Plan, Solve, Step, Take
from slipstream._engine.runtime.threads import in_one_thread
from slipstream._engine.schema.user_code import may_run_user_code


def endpoint_hop(draft: Draft) -> int:
    """Find the first of the steps that the endpoint's worker does too; as many as there are if it does none."""
    steps = draft.plan.steps
    first = len(steps)
    if draft.observation is not None or draft.plan.root.kind != "sync":
        return first
    for place in reversed(range(len(steps))):
        if not _fits(draft.plan, steps[place]):
            break
        if isinstance(steps[place], Solve):
            first = place
    return first


def rows(draft: Draft, steps: Sequence[Step]) -> Iterator[tuple[Sequence[Step], bool]]:
    """Cut steps into parts.

    Yields:
        A part, and whether it is a row of calls for one worker: two dependencies or more, and between them nothing that
        may be wrong, for a worker gives back all that it was to make or nothing.
    """
    for fits, group in groupby(steps, partial(_fits_row, draft)):
        part = list(group)
        calls = [place for place, step in enumerate(part) if isinstance(step, Solve)]
        if fits and len(calls) > 1:
            first, end = calls[0], calls[-1] + 1
            yield part[:first], False
            yield part[first:end], True
            yield part[end:], False
        else:
            yield part, False


def made(draft: Draft, row: Sequence[Step]) -> list[str]:
    """Name what a row has made for those that come after it."""
    solved = {id(step.call) for step in row if isinstance(step, Solve)}
    inside = {id(part) for call in draft.plan.calls if id(call) in solved for part in call.dependencies}
    names = []
    for step in row:
        if isinstance(step, Take) and id(step.call) not in solved:
            names.append(draft.variables[id(step.call), step.field.name])
        is_wanted = isinstance(step, Solve) and (step.shared or id(step.call) not in inside)
        if is_wanted and id(step.call) in draft.results:
            names.append(draft.results[id(step.call)])
    return names


def _fits(plan: Plan, step: Step) -> bool:
    """Whether a worker can do a step, and nobody can tell that it was a worker."""
    if isinstance(step, Again):
        return True
    if isinstance(step, Solve):
        return step.call.kind in ("sync", "gen") and step.call.limit is None
    is_form = step.source == "body" and plan.body is not None and plan.body.kind == "form"
    return not is_form and is_own(step)


def _fits_row(draft: Draft, step: Step) -> bool:
    """Whether, besides, it leaves no trace but its value."""
    if draft.observation is not None:
        return False
    if isinstance(step, Take):
        is_sure = step.source != "body" and not draft.can_fail(step)
    else:
        is_sure = not draft.subtree_can_fail(step.call if isinstance(step, Solve) else step.first)
    return (is_sure or not draft.has_errors) and _fits(draft.plan, step)


def is_own(step: Take) -> bool:
    """Whether a value is read without a user's code."""
    return step.field.field_info.default_factory is None and not may_run_user_code(step.field.checker.core_schema)


@contextmanager
def one_hop(draft: Draft) -> Iterator[list[str]]:
    """Put what is written inside into a function for a worker, and write the wait for it.

    Yields:
        A list, to be filled with the locals that come back.
    """
    text = draft.text
    prepared = set(draft.prepared)
    shared = ["errors", *([] if draft.fast_body is None else draft.variables.values())]
    given_back: list[str] = []
    with text.function("def work(each):", shared):
        draft.is_in_hop = True
        yield given_back
        if given_back:
            text.line(f"return {', '.join(given_back)}")
        draft.is_in_hop = False
    draft.prepared = prepared  # what the worker has prepared was its own
    target = f"{', '.join(given_back)} = " if given_back else ""
    text.line(f"{target}await {draft.constant('in_one_thread', in_one_thread)}(work)")
