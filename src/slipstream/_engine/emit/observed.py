"""The layer over any dialect by which a handler reports each step to the request's `Observation` (`abc.py`)."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from starlette.responses import Response

from slipstream._engine.abc import Observation
from slipstream._engine.codegen import literal
from slipstream._engine.emit.calls import by_keyword, named_arguments
from slipstream._engine.emit.pen import Layer, Pen
from slipstream._engine.errors import function_name
from slipstream._engine.plan.body import form_models
from slipstream._engine.plan.flatten import param_model, request_names
from slipstream._engine.plan.model import Take
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.types import SERIALIZATION, ErrorDetail, Scope


class Observed(Layer):
    """The layer that observes; the local `observed` holds the Observation."""

    title = ", observed"
    shows_steps = True

    def enter(self, pen: Pen) -> None:
        pen.line(f"observed = scope[{literal(pen.services.observation_key)}]")
        pen.line(f"observed.enter({pen.dialect.connection}, {literal(function_name(pen.plan.root.call))})")

    def read(self, pen: Pen, body: str) -> None:
        absent = "" if body == "form" else f" if {body} is not {pen.constant('UNSET', UNSET)} else None"
        pen.line(f"observed.read({body}{absent})")

    def solved(self, pen: Pen) -> None:
        pen.line(f"observed.solved(dict({by_keyword(named_arguments(pen, pen.plan.root))}))")

    def refused(self, pen: Pen) -> None:
        known = pen.constant("known_values", known_values(pen))
        pen.line(f"observed.invalid(errors, {known}(locals(), errors))")

    def operation(self, pen: Pen, name: str) -> AbstractContextManager[None]:
        return pen.block(f"with observed.operation({literal(name)}):")

    def encode(self, pen: Pen, target: str, given: str, made: str) -> None:
        # A Response needs no encoding, which would be measured.
        with pen.block(f"if isinstance(result, {pen.constant('Response', Response)}):"):
            pen.line(f"{target} = {given}")
        with pen.block("else:"), self.operation(pen, SERIALIZATION):
            pen.line(f"{target} = {made}")

    def body_reporter(self, pen: Pen) -> Callable[[Scope, ErrorDetail, str], None]:
        key = pen.services.observation_key

        def report(scope: Scope, detail: ErrorDetail, text: str) -> None:
            observation: Observation = scope[key]
            observation.read(text)
            observation.invalid([detail])

        return report


OBSERVED = Observed()


def known_values(pen: Pen) -> Callable[[Mapping[str, Any], list[ErrorDetail]], dict[str, Any]]:
    """Make the function that returns the valid arguments of a refused request, by name."""
    root = pen.plan.root
    takes = [step for step in pen.plan.steps if isinstance(step, Take) and step.call is root]
    places = {step.field.name: _places(pen, step) for step in takes}
    arguments = named_arguments(pen, root)

    def known(found: Mapping[str, Any], errors: list[ErrorDetail]) -> dict[str, Any]:
        wrong = {error["loc"][:length] for error in errors for length in (1, 2)}
        return {
            name: found[variable]
            for name, variable in arguments.items()
            if found.get(variable, UNSET) is not UNSET and wrong.isdisjoint(places.get(name, _ALWAYS))
        }

    return known


_ALWAYS: frozenset[tuple[str, ...]] = frozenset()


def _places(pen: Pen, step: Take) -> frozenset[tuple[str, ...]]:
    """Return the beginnings of `loc` in a parameter's errors; none for a whole JSON body, which is reported as None."""
    body = pen.plan.body
    if step.source == "body" and body is not None and not body.embed and len(body.fields) == 1:
        alone = ("body",) if form_models(step.field) else ("body", step.field.alias)
        return _ALWAYS if body.kind == "json" else frozenset({alone})
    if step.source != "body" and param_model(step.field) is not None:
        return frozenset({(step.source,)})
    return frozenset((step.source, sent) for _, sent in request_names(step.field))
