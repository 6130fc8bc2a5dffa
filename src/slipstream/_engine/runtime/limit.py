"""Recognizes the exceptions of Starlette's body limit, which have to reach the limit unchanged."""

from typing import Any

from starlette.middleware import body_limit

# Both are private to Starlette; without them (another release) a signal is treated as any other exception.
_ANSWERED: Any = getattr(body_limit, "_RequestBodyLimitResponseSent", ())
_SIGNALS: Any = (getattr(body_limit, "_RequestBodyTooLarge", ()), _ANSWERED)


def limit_signal(exc: Exception) -> Exception | None:
    """Return the limit's own exception, also out of a group that a task group made; None for all others.

    A group with another error in it is not the limit's: that error must not be lost.
    """
    if isinstance(exc, ExceptionGroup):
        _, others = exc.split(_SIGNALS)
        if others is not None:
            return None
        found: Any = exc.subgroup(_ANSWERED) or exc
        while isinstance(found, ExceptionGroup):
            found = found.exceptions[0]
        return found  # type: ignore[no-any-return]  # the leaf of a group of exceptions
    return exc if isinstance(exc, _SIGNALS) else None


def is_answered(exc: Exception) -> bool:
    """Whether an exception says that the limit has already sent its 413."""
    return isinstance(exc, _ANSWERED)
