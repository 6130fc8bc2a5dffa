"""Where a request can have errors, and when they are raised."""

from itertools import dropwhile
from typing import Literal, TypeAlias

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Again, Call, Plan, Solve, Take


def is_plain_str(item: ModelField) -> bool:
    """Whether any string is valid and stays as it is: `str` or `str | None` without constraints."""
    info = item.field_info
    if info.metadata or info.discriminator is not None or item.config is not None:
        return False
    return info.annotation in (str, str | None)


Errors: TypeAlias = Literal["none", "at once", "gathered"]
"""There can be none; the only possible one is raised where it is found; or all are raised together."""


class Failing:
    """Where a request can have an error; `raises_late` gathers all, since an observer wants to see all arguments."""

    def __init__(self, plan: Plan, *, raises_late: bool) -> None:
        self.plan = plan
        self.takes = [step for step in plan.steps if isinstance(step, Take) and self.can_fail(step)]
        self.agains = [(step.call, step.first) for step in plan.steps if isinstance(step, Again)]
        self.errors: Errors = "none"
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
