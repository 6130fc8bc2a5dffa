"""Bounds on bodies, put around a handler where there are any."""

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._engine.runtime.limit import limit_signal


def limited(app: ASGIApp, max_body_size: int | None) -> ASGIApp:
    """Put a bound around a handler; without one, the handler itself comes back."""
    return app if max_body_size is None else RequestBodyLimitMiddleware(Ungrouped(app), max_body_size=max_body_size)


class Ungrouped:
    """Takes the signal of a body limit out of the group that a task group has put it into.

    Args:
        app: What may read the body in a task group.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        try:
            await self.app(scope, receive, send)
        except ExceptionGroup as exc:
            signal = limit_signal(exc)
            if signal is None:
                raise
            raise signal from exc
