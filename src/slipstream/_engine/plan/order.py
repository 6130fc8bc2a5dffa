"""From the tree of calls to the steps, in the order in which they are taken.

Dependencies come before what needs them, in the order in which they are written; a call's own
values are read after its dependencies: path, query, header, cookie, body.
"""

from collections.abc import Iterator

from slipstream._engine.plan.flatten import CallKey, call_key
from slipstream._engine.plan.model import Again, Call, Solve, Step, Take


def order(root: Call) -> tuple[Step, ...]:
    """List the steps that lead to the endpoint's own call, which is not among them."""
    walker = _Walker()
    steps = list(walker.feed(root))
    shared = {id(step.first) for step in steps if isinstance(step, Again)}
    return tuple(Solve(step.call, id(step.call) in shared) if isinstance(step, Solve) else step for step in steps)


class _Walker:
    def __init__(self) -> None:
        self.solved: list[tuple[CallKey, Call]] = []

    def feed(self, call: Call) -> Iterator[Step]:
        """Yield what has to happen before a call can be made."""
        for dependency in call.dependencies:
            key = call_key(dependency.replaces or dependency)
            first = self._find(key)
            if first is not None and dependency.use_cache:
                yield Again(dependency, first)
                continue
            yield from self.feed(dependency)
            yield Solve(dependency, False)
            if first is None:
                self.solved.append((key, dependency))
        for field in call.path_params:
            yield Take(call, field, "path")
        for field in call.query_params:
            yield Take(call, field, "query")
        for field in call.header_params:
            yield Take(call, field, "header")
        for field in call.cookie_params:
            yield Take(call, field, "cookie")
        for field in call.body_params:
            yield Take(call, field, "body")

    def _find(self, key: CallKey) -> Call | None:
        """Look a call up; a list, for few routes have more than ten and some callables have no hash."""
        for known, call in self.solved:
            if known == key:
                return call
        return None
