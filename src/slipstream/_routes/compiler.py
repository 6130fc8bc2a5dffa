"""From a plan to a running handler: overrides put in, compiled at the first use, kept.

Several applications with different overrides may serve one route: there is a handler for each set of overrides that
touches it.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from operator import is_not
from typing import Any, Protocol

from slipstream._app.refresh import Lock, version
from slipstream._engine.entry.guard import connect
from slipstream._engine.plan.model import BodyPlan, Call, Plan
from slipstream._engine.plan.tree import override_tree
from slipstream._engine.runtime.cleanup import inner_failure, leave, open_failure
from slipstream._engine.runtime.response import injected_tasks, respond_open, run_later
from slipstream._engine.runtime.threads import in_thread
from slipstream._engine.types import CLOSING, EXITS, ASGIApp, Dialect, Receive, Scope, Send
from slipstream._routes.dependant import Dependant, call_of, dependant_of, state_of, watch
from slipstream._routes.services import IMPLIED, SERVICES, public_errors
from slipstream.limits import COMPATIBLE, Limits

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]

_LOCK = Lock()
"""Held while a handler is compiled or a changed tree is planned again, of whatever route."""
_KEPT = 32
"""Most handlers that one route keeps for different overrides."""


class Compiled(Protocol):
    """What `_engine/compile.py` makes, which is imported for the first request."""

    @property
    def handler(self) -> Callable[..., Any]: ...
    @property
    def source(self) -> Any: ...
    @property
    def program(self) -> Any: ...
    @property
    def plan(self) -> Plan: ...
    @property
    def dialect(self) -> str: ...
    @property
    def filename(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan without overrides, the state of the changed tree that it was made of, and the handlers of the plan."""

    plan: Plan
    state: list[object] | None
    handlers: dict[Hashable, Compiled] = field(default_factory=dict)


class Compiler:
    """Compiles one route; only its `owner` may change the tree, and not a route that has been given the compiler."""

    __slots__ = ("_dependant", "_plan_of", "_planned", "_seen", "owner")

    def __init__(
        self, tree: Call, plan_of: Callable[..., Plan], owner: object = None, planned: _Planned | None = None
    ) -> None:
        self.owner, self._plan_of, self._planned = owner, plan_of, planned or _Planned(plan_of(tree), None)
        self._dependant: Dependant | None = None
        self._seen = -1

    def __deepcopy__(self, memo: dict[int, object]) -> "Compiler":
        """Copies of a route share what was compiled, until one of them is changed."""
        return self.copied(None)

    def copied(self, owner: object) -> "Compiler":
        return self.with_tree(None if self._dependant is None else dependant_of(self._dependant), owner)

    def with_tree(self, dependant: Dependant | None, owner: object) -> "Compiler":
        """Make a compiler like this one for another tree; None: for the same."""
        planned = self._planned if dependant is None else _Planned(self._planned.plan, None)
        twin = Compiler(planned.plan.root, self._plan_of, owner, planned)
        twin._dependant = dependant
        return twin

    @property
    def dependant(self) -> Dependant:
        """The tree for packages to read and change; only a tree that was asked for is looked at for changes."""
        if self._dependant is None:
            dependant, body = dependant_of(self._planned.plan.root), self._planned.plan.body
            # The plan takes the tree's own parameters, for a package may change these.
            self._planned, self._dependant = self._plan_again(dependant, body), dependant
            version.bump()
        return self._dependant

    @property
    def plan(self) -> Plan:
        """The plan without overrides; made again when a package has changed the tree."""
        return self._latest().plan

    def _latest(self) -> _Planned:
        dependant, seen = self._dependant, version.number
        if dependant is None or seen == self._seen:
            return self._planned
        with _LOCK:
            before = self._planned
            now = list(state_of(dependant))
            if before.state is None or len(now) != len(before.state) or any(map(is_not, now, before.state)):
                # A change in place leaves the body's field, as in FastAPI; a tree that was put there has another.
                body = None if before.state is None else before.plan.body
                self._planned = self._plan_again(dependant, body)
            self._seen = seen
        return self._planned

    def _plan_again(self, dependant: Dependant, body: BodyPlan | None) -> _Planned:
        known = {} if body is None else {"known": body}
        watch(dependant)
        return _Planned(self._plan_of(call_of(dependant), **known), list(state_of(dependant)))

    def compiled(
        self,
        overrides: Overrides,
        dialect: Dialect | None = None,
        *,
        is_observed: bool = False,
        limits: Limits = COMPATIBLE,
    ) -> Compiled:
        """Return the handler for some overrides and the limits of all levels; compile it at the first call."""
        # Before the first request nothing of it is needed, and it takes a fifth of the import.
        from slipstream._engine.compile import OBSERVED, UNOBSERVED, compile_plan  # noqa: PLC0415 - see above

        # A thread that changes the tree meanwhile gets handlers of its own with its plan; these are never mixed.
        planned = self._latest()
        plan, known = planned.plan, planned.handlers
        tree = plan.root
        if overrides:
            with public_errors():
                tree = override_tree(tree, overrides, IMPLIED)
        # The calls in their order identify the overrides; a kept handler keeps its callables alive, and so their ids.
        kind = (dialect, is_observed, limits)
        key: Hashable = kind if tree is plan.root else (kind, *(id(call.call) for call in tree.walk()))
        with _LOCK:
            found = known.get(key)
            if found is None:
                chosen = plan if tree is plan.root else self._plan_of(tree)
                chosen = replace(chosen, limits=limits)
                found = compile_plan(chosen, SERVICES, dialect, OBSERVED if is_observed else UNOBSERVED)
                if len(known) >= _KEPT:
                    known.clear()
                known[key] = found
        return found


def overrides_of(provider: object) -> Overrides:
    """Return `provider.dependency_overrides`; without a provider, none."""
    return getattr(provider, "dependency_overrides", None) or {}


_fail_open = open_failure(SERVICES.fail, SERVICES.swallowed_error)
_fail_closing = inner_failure(SERVICES.swallowed_error)


def wrapped_app(handler: Callable[[Any], Any], *, is_async: bool) -> ASGIApp:
    """Make an ASGI app of a function from Request to Response, and close what a compiled handler inside it opens.

    A function of a WebSocket is given one, and what it returns is ignored.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request = connect(scope, receive, send)
        exits: list[Any] = []
        closing: list[Any] = []
        scope[EXITS], scope[CLOSING] = exits, closing
        sent = False
        response: Any = None
        try:
            try:
                response = await (handler(request) if is_async else in_thread(handler, request))
                await leave(closing)
            except BaseException as exc:
                failure = await _fail_closing(closing, exc, scope)
                if failure is not None:
                    raise failure from None
            if scope["type"] == "http":
                await respond_open(response, scope, receive, send)
            sent = True
            tasks = injected_tasks(response)
            ran = len(tasks.tasks)
            await leave(exits)
            await run_later(tasks, ran)
        except BaseException as exc:
            await _fail_open(exits, exc, sent, scope, receive, send, connection=request)

    return serve
