"""Recognizes the exceptions by which Starlette's body limit works; they must reach the limit unchanged."""

from typing import Any

from slipstream._foreign.starlette import LIMIT_ANSWERED, LIMIT_SIGNALS


def limit_signal(exc: Exception) -> Exception | None:
    """Return the limit's own exception, also if it is inside an exception group; None for all others.

    A group that also has another error gives None, so that the error is not lost.
    """
    if isinstance(exc, ExceptionGroup):
        _, others = exc.split(LIMIT_SIGNALS)
        if others is not None:
            return None
        found: Any = exc.subgroup(LIMIT_ANSWERED) or exc
        while isinstance(found, ExceptionGroup):
            found = found.exceptions[0]
        return found  # type: ignore[no-any-return]  # the leaf of a group of exceptions
    return exc if isinstance(exc, LIMIT_SIGNALS) else None


def is_answered(exc: Exception) -> bool:
    """Whether an exception says that the limit has already sent its 413."""
    return isinstance(exc, LIMIT_ANSWERED)
