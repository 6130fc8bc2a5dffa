"""Telling the signals of Starlette's body limit from errors: they have to reach the limit as they are."""

from typing import Any

from starlette.middleware import body_limit

# Both are private to Starlette; without them (another release) a signal is treated as any other exception.
_ANSWERED: Any = getattr(body_limit, "_RequestBodyLimitResponseSent", ())
_SIGNALS: Any = (getattr(body_limit, "_RequestBodyTooLarge", ()), _ANSWERED)


def limit_signal(exc: Exception) -> Exception | None:
    """Find the signal that a body is too large; None where an exception is anything else.

    A task group, such as that of a middleware that reads the body, may have wrapped it. A group that
    holds another error too is no signal: that error must not be lost.
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
    """Whether an exception says that the limit has sent its 413 already, so that nobody may answer again."""
    return isinstance(exc, _ANSWERED)
