"""The text by which an observed handler tells what it does; where nobody observes, nothing is written.

Every line goes to the local `observed`, the request's `Observation` (`abc.py`).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from slipstream._engine.abc import Observation, Services
from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.calls import by_keyword, named_arguments
from slipstream._engine.emit.draft import Draft
from slipstream._engine.plan.body import form_models
from slipstream._engine.plan.flatten import param_model, request_names
from slipstream._engine.plan.model import Plan, Take
from slipstream._engine.runtime.observe import Argument, function_name, known_values
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.types import ErrorDetail, Scope

DEPENDENCIES = "fastapi.dependencies"
ENDPOINT = "fastapi.endpoint"
SERIALIZATION = "fastapi.serialization"
"""Names of the operations, FastAPI's: dashboards look for them."""


def observed_draft(plan: Plan, services: Services) -> Draft:
    """Begin a handler that is observed; the name of the observation is taken before the user's names are."""
    draft = Draft(plan, services)
    draft.observation = draft.text.local("observed")
    return draft


def emit_entered(draft: Draft, connection: str) -> None:
    """Write where the observation comes from, and that this handler serves."""
    if draft.observation is not None:
        draft.text.line(f"{draft.observation} = scope[{literal(draft.services.observation_key)}]")
        function = literal(function_name(draft.plan.root.call))
        draft.text.line(f"{draft.observation}.enter({connection}, {function})")


def emit_body_noted(draft: Draft, body: str) -> None:
    """Write that the body has been read."""
    if draft.observation is not None:
        absent = "" if body == "form" else f" if {body} is not {draft.constant('UNSET', UNSET)} else None"
        draft.text.line(f"{draft.observation}.read({body}{absent})")


def teller(key: str) -> Callable[[Scope, ErrorDetail, str], None]:
    """Make the function that tells of a body that is not JSON."""

    def tell(scope: Scope, detail: ErrorDetail, text: str) -> None:
        observation: Observation = scope[key]
        observation.read(text)
        observation.invalid([detail])

    return tell


def operation(draft: Draft, name: str) -> AbstractContextManager[None]:
    """Put what is written inside of a `with` block into the measuring of an operation."""
    if draft.observation is None:
        return nullcontext()
    return draft.text.block(f"with {draft.observation}.operation({literal(name)}):")


def emit_refused(draft: Draft) -> None:
    """Write what was wrong with a request, and which arguments were not."""
    if draft.observation is None:
        return
    known = draft.constant("known_values", known_values(_arguments(draft)))
    draft.text.line(f"{draft.observation}.invalid(errors, {known}(locals(), errors))")


def emit_solved(draft: Draft) -> None:
    """Write the endpoint's arguments."""
    if draft.observation is not None:
        given = by_keyword(named_arguments(draft, draft.plan.root))
        draft.text.line(f"{draft.observation}.solved(dict({given}))")


def _arguments(draft: Draft) -> list[Argument]:
    """The endpoint's parameters, the locals that hold them, and where their errors are."""
    plan, found = draft.plan, []
    root = plan.root
    takes = {step.field.name: step for step in plan.steps if isinstance(step, Take) and step.call is root}
    results = {call.name: draft.results[id(call)] for call in root.dependencies if call.name is not None}
    contexts = {name for name, _ in root.contexts}
    for slot in root.signature.slots:
        if slot.name in takes:
            step = takes[slot.name]
            variable = draft.variables.get((id(root), slot.name))
            if variable is not None:
                found.append((slot.name, variable, _places(draft, step)))
        elif slot.name in results:
            found.append((slot.name, results[slot.name], _ALWAYS))
        elif slot.name in contexts and slot.meta in ("request", "websocket", "response", "background", "connection"):
            here = "request" if plan.protocol == "http" else "websocket"
            found.append((slot.name, here if slot.meta == "connection" else str(slot.meta), _ALWAYS))
    return found


_ALWAYS: frozenset[tuple[str, ...]] = frozenset()


def _places(draft: Draft, step: Take) -> frozenset[tuple[str, ...]]:
    """How a `loc` of a parameter's errors may begin; nothing for one that is the whole body: it is told as None."""
    body = draft.plan.body
    if step.source == "body" and body is not None and not body.embed and len(body.fields) == 1:
        return _ALWAYS if body.kind == "json" or form_models(step.field) else frozenset({("body", step.field.alias)})
    if step.source != "body" and param_model(step.field) is not None:
        return frozenset({(step.source,)})
    return frozenset((step.source, wire) for _, wire in request_names(step.field))
