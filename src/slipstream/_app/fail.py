"""An application's exception handlers, and the 500 for exceptions without one."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slipstream._app.refresh import Latest
from slipstream._engine.entry.guard import HANDLERS, Guard, answer, crash
from slipstream._engine.types import Receive, Scope, Send

Handlers = Mapping[Any, Callable[..., Any]]
"""Exception handlers by exception class or status code; the application's own mapping, which may change."""


class Registered:
    """The exception handlers of an application, sorted again when something has changed."""

    def __init__(self, handlers: Handlers, debug: bool) -> None:
        self._sorted = Latest(partial(Guard.of, handlers))
        self.debug = debug

    @property
    def guard(self) -> Guard:
        """The current handlers."""
        return self._sorted.get()

    async def answer(
        self, exc: Exception, scope: Scope, receive: Receive, send: Send, *, started: bool | None = None
    ) -> None:
        """Answer an exception; without a handler, answer 500 and raise it again.

        Args:
            started: Whether the response has started; None reads it from the scope.
        """
        guard = self.guard
        scope[HANDLERS] = guard.pair  # in place of those of a mounted application
        try:
            await answer(exc, scope, receive, send, started=started)
        except Exception as unhandled:
            await crash(unhandled, scope, receive, send, self.debug, guard.server_error, started=started)


async def raise_again(exc: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Raise an exception: the `fail` of a stack that answers exceptions itself."""
    raise exc
