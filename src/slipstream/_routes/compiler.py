"""From a plan to a running handler: overrides put in, compiled when first needed, kept.

A route may be served by several applications with different overrides; each set of overrides that
touches it has a handler of its own.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from starlette.requests import Request

from slipstream._app.refresh import Latest, Lock
from slipstream._engine.compile import OBSERVED, UNOBSERVED, Compiled, Dialect, compile_plan
from slipstream._engine.emit.handler import CLOSING, EXITS
from slipstream._engine.plan.model import Call, Plan
from slipstream._engine.plan.tree import override_tree, walk
from slipstream._engine.runtime.cleanup import inner_failure, leave, open_failure
from slipstream._engine.runtime.response import respond_open
from slipstream._engine.runtime.threads import in_thread
from slipstream._engine.types import ASGIApp, Receive, Scope, Send
from slipstream._routes.public_errors import public_errors
from slipstream._routes.services import IMPLIED, SERVICES

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]

_KEPT = 32
"""Most handlers that one route keeps for different overrides."""


class Compiler:
    """Compiles one route.

    Args:
        tree: Its tree of calls without overrides.
        plan_of: Plans the route, given that tree or one with overrides in it.
    """

    def __init__(self, tree: Call, plan_of: Callable[[Call], Plan]) -> None:
        self._plan = plan_of(tree)
        self._shape = _shape(tree)
        self._plan_of = plan_of
        self._latest = Latest(self._look_again)
        self._known: dict[Hashable, Compiled] = {}
        self._lock = Lock()

    def __deepcopy__(self, memo: dict[int, object]) -> "Compiler":
        """Copies of a route share what was compiled."""
        return self

    @property
    def plan(self) -> Plan:
        """The plan without overrides; another one where a package has changed its tree in place."""
        return self._latest.get()

    def look_again(self) -> None:
        """Plan once more if the tree is no longer what was planned."""
        self._latest.seen = -1

    def _look_again(self) -> Plan:
        shape = _shape(self._plan.root)
        if shape != self._shape:
            with self._lock:
                self._plan, self._shape = self._plan_of(self._plan.root), shape
                self._known.clear()
        return self._plan

    def compiled(self, overrides: Overrides, dialect: Dialect | None = None, *, is_observed: bool = False) -> Compiled:
        """Return the handler that honours the overrides.

        Args:
            dialect: How it is called; None for the usual way.
            is_observed: Whether it tells the observation in the scope what it does.
        """
        plan = self.plan
        tree = plan.root
        if overrides:
            with public_errors():
                tree = override_tree(tree, overrides, IMPLIED)
        # What is called, in which order, says all; what was compiled keeps the callables alive, and so their ids.
        kind = (dialect, is_observed)
        key: Hashable = kind if tree is plan.root else (kind, *(id(call.call) for call in walk(tree)))
        with self._lock:
            found = self._known.get(key)
            if found is None:
                chosen = plan if tree is plan.root else self._plan_of(tree)
                found = compile_plan(chosen, SERVICES, dialect, OBSERVED if is_observed else UNOBSERVED)
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[key] = found
        return found


def _shape(call: Call) -> tuple[int, ...]:
    """Tell one state of a tree from another: what is called, with which values, after which dependencies."""
    shelves = (call.path_params, call.query_params, call.header_params, call.cookie_params, call.body_params)
    values = (id(value) for shelf in shelves for value in (shelf, *shelf))
    return (id(call.signature), *values, *(part for inner in call.dependencies for part in _shape(inner)))


def overrides_of(provider: object) -> Overrides:
    """The overrides that hold; none without a provider."""
    return getattr(provider, "dependency_overrides", None) or {}


_fail_open = open_failure(SERVICES.fail, SERVICES.swallowed_error)
_fail_closing = inner_failure(SERVICES.swallowed_error)


def wrapped_app(handler: Callable[[Request[Any]], Any], *, is_async: bool) -> ASGIApp:
    """Serve a Request-to-Response function, as custom route classes make them.

    The compiled handler may be somewhere inside it: what that opens is closed here.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request: Request[Any] = Request(scope, receive, send)
        exits: list[Any] = []
        closing: list[Any] = []
        scope[EXITS], scope[CLOSING] = exits, closing
        sent = False
        try:
            try:
                response = await (handler(request) if is_async else in_thread(handler, request))
                await leave(closing)
            except BaseException as exc:
                raise await _fail_closing(closing, exc) from None
            await respond_open(response, scope, receive, send)
            sent = True
            await leave(exits)
        except BaseException as exc:
            await _fail_open(exits, exc, sent, scope, receive, send, connection=request)

    return serve
