"""Which neighbouring calls one worker thread makes.

The calls of a hop share the thread alone: each has its own context, and none begins after the waiting task has been
cancelled. User code that FastAPI runs in the event loop (validators of parameters, serializers) stays there.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from slipstream._engine.plan.failing import Failing
from slipstream._engine.plan.model import Again, Plan, Solve, Step, Take
from slipstream._engine.plan.program import Act
from slipstream._engine.schema.questions import may_run_user_code


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
        if fits and len(calls) > 1:
            first, end = calls[0], calls[-1] + 1
            yield part[:first], False
            yield part[first:end], True
            yield part[end:], False
        else:
            yield part, False


def given_back(plan: Plan, row: Sequence[Act]) -> tuple[Act, ...]:
    """List the steps of a row whose values are used after it."""
    solved = {id(step.call) for step in row if isinstance(step, Solve)}
    inside = {id(part) for call in plan.calls if id(call) in solved for part in call.dependencies}
    found: list[Act] = []
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
