"""From the tree of calls to the steps of a plan."""

from collections.abc import Iterator

from slipstream._engine.plan.flatten import CallKey, call_key
from slipstream._engine.plan.model import Again, Call, Solve, Step, Take


def order(root: Call) -> tuple[Step, ...]:
    """List the steps before the endpoint's call: dependencies before the call that needs them, then its own values."""
    steps = list(_feed(root, []))
    shared = {id(step.first) for step in steps if isinstance(step, Again)}
    return tuple(Solve(step.call, id(step.call) in shared) if isinstance(step, Solve) else step for step in steps)


def _feed(call: Call, solved: list[tuple[CallKey, Call]]) -> Iterator[Step]:
    """Yield the steps before a call; `solved` is a list, since some callables have no hash and few routes have many."""
    for dependency in call.dependencies:
        key = call_key(dependency.replaces or dependency)
        first = next((made for known, made in solved if known == key), None)
        if first is not None and dependency.use_cache:
            yield Again(dependency, first)
            continue
        yield from _feed(dependency, solved)
        yield Solve(dependency, False)
        if first is None:
            solved.append((key, dependency))
    for source, fields in call.params.items():
        yield from (Take(call, field, source) for field in fields)
