"""Bounds on bodies and forms: checked when they are set, put around a handler where there are any."""

from typing import Any

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._engine.runtime.limit import limit_signal

FORM_LIMITS = ("max_fields", "max_files", "max_part_size")


def checked_max_body_size(limit: int | None) -> int | None:
    """Check a bound on bodies, in bytes.

    Raises:
        ValueError: It is negative or no integer.
    """
    given: Any = limit
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 0):
        raise ValueError(f"max_body_size must be a non-negative integer or None, not {given!r}")
    return limit


def checked_form_limits(limits: Any) -> dict[str, int]:
    """Check bounds on forms.

    Raises:
        ValueError: A name is unknown or a number negative.
    """
    given = dict(limits or {})
    for name, value in given.items():
        if name not in FORM_LIMITS:
            raise ValueError(f"form_limits has no {name!r}; it knows {', '.join(FORM_LIMITS)}")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"form_limits: {name} must be a non-negative integer, not {value!r}")
    return given


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
