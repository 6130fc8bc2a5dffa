"""The registration trip, top to bottom: endpoint → tree → plan → source → handler.

A route makes its plan when it is registered, so that what is wrong fails at the user's line. Source
and handler are made when the first request needs them, for overrides may change until then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from slipstream._engine.abc import Services
from slipstream._engine.codegen.load import Source, load
from slipstream._engine.emit.handler import emit_http, emit_request, emit_websocket
from slipstream._engine.plan.model import Plan
from slipstream._engine.runtime.observe import function_name
from slipstream._engine.signature.kinds import unpartial

Dialect = Literal["asgi", "direct", "request"]
"""How a handler is called.

"asgi": with ASGI's three arguments. "direct": with these, the request's whole body and a function that takes a whole
response; servers that have both at hand call it so. "request": with a Request, and it returns a Response.
"""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A handler, the source that it was loaded from, and the plan that the source was written from."""

    handler: Callable[..., Any]
    source: Source
    plan: Plan
    dialect: Dialect

    @property
    def filename(self) -> str:
        """The file name of the source in tracebacks, debuggers and profiles."""
        return self.handler.__code__.co_filename


def compile_plan(plan: Plan, services: Services, dialect: Dialect = "asgi", *, is_observed: bool = False) -> Compiled:
    """Turn a plan into the function that serves it.

    Args:
        is_observed: Whether the function tells an `Observation` what it does.
    """
    if plan.protocol == "websocket":
        source = emit_websocket(plan, services, is_observed)
    elif dialect == "request":
        source = emit_request(plan, services, is_observed)
    else:
        source = emit_http(plan, services, is_observed, is_direct=dialect == "direct")
    return Compiled(load(source, _label(plan, dialect, is_observed)), source, plan, dialect)


def _label(plan: Plan, dialect: Dialect, is_observed: bool) -> str:
    """Name a source after method, path, endpoint and dialect: the same in each process, so that profiles add up."""
    spoken = "websocket" if plan.protocol == "websocket" else dialect
    endpoint = function_name(unpartial(plan.root.call))
    return f"slipstream {plan.label} -> {endpoint}, {spoken}{', observed' if is_observed else ''}"
