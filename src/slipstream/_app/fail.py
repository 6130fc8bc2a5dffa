"""What answers exceptions: the handlers that an application has registered, and the 500 for what none of them takes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slipstream._app.refresh import Latest
from slipstream._engine.entry.guard import HANDLERS, Guard, answer, crash
from slipstream._engine.types import Receive, Scope, Send

Handlers = Mapping[Any, Callable[..., Any]]
"""Exception handlers by exception class or status code; the application's own mapping, which may grow."""


class Registered:
    """The handlers of an application, sorted anew when something has changed."""

    def __init__(self, handlers: Handlers, debug: bool) -> None:
        self._sorted = Latest(partial(Guard.of, handlers))
        self.debug = debug

    @property
    def guard(self) -> Guard:
        """The handlers as they are now."""
        return self._sorted.get()

    async def answer(
        self, exc: Exception, scope: Scope, receive: Receive, send: Send, *, started: bool | None = None
    ) -> None:
        """Answer an exception; one that has no handler with a 500, after which it is raised again.

        Args:
            started: Whether the response has begun; None for what lies further in has left in the scope.
        """
        guard = self.guard
        scope[HANDLERS] = guard.pair  # a mounted application has put its own there
        try:
            await answer(exc, scope, receive, send, started=started)
        except Exception as unhandled:
            await crash(unhandled, scope, receive, send, self.debug, guard.server_error, started=started)


async def raise_again(exc: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Let an exception out."""
    raise exc
