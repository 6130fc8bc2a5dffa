"""Which neighbouring calls one worker thread makes.

Calls of a hop share nothing but the thread. Each has a context of its own, and none is begun after the task that waits
has been cancelled, as if every call had its own hop. A user's code that FastAPI runs in the event loop, validators of
parameters and serializers of results, stays there, and ends a hop.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from slipstream._engine.plan.failing import Failing
from slipstream._engine.plan.model import Act, Again, Plan, Solve, Step, Take
from slipstream._engine.schema.user_code import may_run_user_code


def endpoint_hop(plan: Plan) -> int:
    """Find the first of the steps that the endpoint's worker does too; as many as there are if it does none."""
    first = len(plan.steps)
    for place in reversed(range(len(plan.steps))):
        if not _fits(plan, plan.steps[place]):
            break
        if isinstance(plan.steps[place], Solve):
            first = place
    return first


def rows(steps: Sequence[Step], failing: Failing) -> Iterator[tuple[Sequence[Step], bool]]:
    """Cut steps into parts.

    Yields:
        A part, and whether it is a row of calls for one worker: two dependencies or more, and between them nothing that
        may be wrong, for a worker gives back all that it was to make or nothing.
    """
    for fits, group in groupby(steps, _fits_row(failing)):
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
    """List what a row makes for those that come after it."""
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
    """Whether a worker can do a step, and nobody can tell that it was a worker."""
    if isinstance(step, Again):
        return True
    if isinstance(step, Solve):
        return step.call.kind in ("sync", "gen") and step.call.limit is None
    is_own = step.field.field_info.default_factory is None and not may_run_user_code(step.field.checker.core_schema)
    return is_own and not (step.source == "body" and plan.is_form)


def _fits_row(failing: Failing) -> Callable[[Step], bool]:
    """Make the test whether, besides, a step leaves no trace but its value."""

    def fits(step: Step) -> bool:
        if isinstance(step, Take):
            is_sure = step.source != "body" and not failing.can_fail(step)
        else:
            is_sure = not failing.below(step.call if isinstance(step, Solve) else step.first)
        return (is_sure or failing.errors != "gathered") and _fits(failing.plan, step)

    return fits
