"""The whole way from a function to its handler: endpoint → tree → plan → program → source → handler.

A route makes its plan when it is registered, so that errors are raised at the user's line. Source and handler are made
for the first request, since overrides may change until then.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from slipstream._engine.abc import Services
from slipstream._engine.codegen import Source, load
from slipstream._engine.emit.handler import DIALECTS, emit_handler
from slipstream._engine.emit.observed import OBSERVED
from slipstream._engine.emit.pen import Layer
from slipstream._engine.errors import function_name
from slipstream._engine.plan.arrange import arrange
from slipstream._engine.plan.model import Plan
from slipstream._engine.plan.program import Program
from slipstream._engine.signature.kinds import unpartial
from slipstream._engine.types import Dialect

__all__ = ["OBSERVED", "UNOBSERVED", "Compiled", "compile_plan"]

UNOBSERVED = Layer()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A handler, its source, and the program of the source."""

    handler: Callable[..., Any]
    source: Source
    program: Program
    dialect: str

    @property
    def plan(self) -> Plan:
        return self.program.plan

    @property
    def filename(self) -> str:
        return self.handler.__code__.co_filename


def compile_plan(plan: Plan, services: Services, dialect: Dialect | None = None, layer: Layer = UNOBSERVED) -> Compiled:
    """Turn a plan into the function that serves it, called as the dialect says; `OBSERVED` makes it report."""
    chosen = DIALECTS[dialect or ("asgi" if plan.protocol == "http" else plan.protocol)]
    try:
        program = arrange(plan, replace(chosen.manner, shows_steps=layer.shows_steps))
        source = emit_handler(program, services, chosen, layer)
    except Exception as exc:
        exc.add_note(f"while {plan.label} was compiled\n  at {plan.root.origin}")
        raise
    # The label is the same in every process, so that profiles can be added up.
    label = f"slipstream {plan.label} -> {function_name(unpartial(plan.root.call))}, {chosen.name}{layer.title}"
    return Compiled(load(source, label), source, program, chosen.name)
