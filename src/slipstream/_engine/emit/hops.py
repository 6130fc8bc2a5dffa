"""The text of a hop: which neighbouring calls one worker thread makes, and the function that makes them.

Calls of a hop share nothing but the thread. Each has a context of its own, and none is begun after the task that waits
has been cancelled, as if every call had its own hop. A user's code that FastAPI runs in the event loop, validators of
parameters and serializers of results, stays there, and ends a hop.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from slipstream._engine.emit.draft import Draft
from slipstream._engine.plan.model import Again, Plan, Solve, Step, Take
from slipstream._engine.plan.user_code import may_run_user_code
from slipstream._engine.wire.threads import in_one_thread


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


def _fits(plan: Plan, step: Step) -> bool:
    """Whether a worker can do a step, and nobody can tell that it was a worker."""
    if isinstance(step, Again):
        return True
    if isinstance(step, Solve):
        return step.call.kind in ("sync", "gen") and step.call.limit is None
    is_form = step.source == "body" and plan.body is not None and plan.body.kind == "form"
    return not is_form and is_own(step)


def is_own(step: Take) -> bool:
    """Whether a value is read without a user's code."""
    return step.field.field_info.default_factory is None and not may_run_user_code(step.field.checker.core_schema)


@contextmanager
def one_hop(draft: Draft, given_back: str) -> Iterator[None]:
    """Put what is written inside into a function for a worker, and write the wait for it.

    Args:
        given_back: The locals that come back from there.
    """
    text = draft.text
    shared = ["errors", *([] if draft.fast_body is None else draft.variables.values())]
    with text.function("def work(each):", shared):
        draft.is_in_hop = True
        yield
        text.line(f"return {given_back}")
        draft.is_in_hop = False
    text.line(f"{given_back} = await {draft.constant('in_one_thread', in_one_thread)}(work)")
