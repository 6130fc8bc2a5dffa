"""Bounds on the size of request bodies."""

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._foreign.starlette import limit_signal


def limited(app: ASGIApp, max_body_size: int | None) -> ASGIApp:
    """Bound the bodies that an app may read; None returns the app itself."""
    if max_body_size is None:
        return app

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # An app that reads the body in a task group raises the limit's signal in a group.
        try:
            await app(scope, receive, send)
        except ExceptionGroup as exc:
            signal = limit_signal(exc)
            if signal is None:
                raise
            raise signal from exc

    return RequestBodyLimitMiddleware(serve, max_body_size=max_body_size)
