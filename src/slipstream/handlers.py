"""Functions that handle events, with dependencies like those of endpoints; for integrations like `slipstream.links`."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

from slipstream._app.refresh import Latest
from slipstream._engine.errors import UnfitHandler as UnfitHandler, UnresolvedAnnotation as UnresolvedAnnotation
from slipstream._engine.plan.build import build_event_plan
from slipstream._engine.plan.tree import build_handler_tree
from slipstream._engine.signature.names import Frames, running
from slipstream._engine.types import Scope
from slipstream._routes.compiler import Compiled, Compiler, overrides_of
from slipstream._routes.services import IMPLIED, public_errors

Handle = Callable[[Any, Any, Callable[[Any], Scope]], Awaitable[Any]]
"""Handles an event: `await handle(connection, event, scope_of)`."""


class EventHandler:
    """Calls a function with a connection and an event, after its dependencies.

    A parameter gets the connection if its class has `slot_context = "link"`, or if its name is `connection` and it has
    no annotation; one other gets the event. `Depends()` works as in an endpoint, and `yield` dependencies are closed
    when the function has returned. Dependencies read headers, path parameters and a Request from the scope that
    `scope_of(connection)` returns.

    Args:
        function: Async, or sync and then called in a worker thread.
        label: Name in tracebacks and profiles, such as "EVENT prices".
        provider: Returns the object whose `dependency_overrides` hold, such as an application.

    Raises:
        UnfitHandler: A parameter can get neither connection nor event.
        DefinitionError: A dependency is wrong, as for an endpoint.
    """

    def __init__(self, function: Callable[..., Any], label: str, provider: Callable[[], Any]) -> None:
        self._function, self._label, self._provider = function, label, provider
        self._latest: tuple[object, Latest[Handle] | None] = None, None
        """A provider, and the handler under its overrides: in one object, so that threads see both or none."""
        self._frames: Frames | None = None
        try:
            _ = self._compiler
        except UnresolvedAnnotation:
            self._frames = running()

    @cached_property
    def _compiler(self) -> Compiler:
        with public_errors():
            tree = build_handler_tree(self._function, implied=IMPLIED, frames=self._frames)
        return Compiler(tree, lambda tree: build_event_plan(tree, self._label))

    @property
    def event(self) -> Any:
        """The annotation of the event's parameter, `typing.Any` where it has none; None if there is no parameter.

        Raises:
            UnresolvedAnnotation: A name in an annotation of the function or its dependencies is not defined (yet).
        """
        slots = self._compiler.plan.root.signature.slots
        return next((slot.annotation for slot in slots if slot.meta == "event"), None)

    @property
    def compiled(self) -> Compiled:
        """Plan, source and handler under the current overrides."""
        return self._compiler.compiled(overrides_of(self._provider()))

    @property
    def handle(self) -> Handle:
        """The function that handles an event under the current overrides; compiled again when they have changed."""
        provider = self._provider()
        made_for, latest = self._latest
        if latest is None or made_for is not provider:
            latest = Latest(lambda: self._compiler.compiled(overrides_of(provider)).handler)
            self._latest = provider, latest
        return latest.get()
