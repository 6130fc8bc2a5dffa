"""The life of a link as data: its state, since when, and why. No I/O, no clock."""

from dataclasses import dataclass, replace
from enum import StrEnum

from slipstream.links.clock import Moment
from slipstream.links.rules import Failure


class LinkState(StrEnum):
    """Where a link stands."""

    CLOSED = "closed"
    """Not started yet, or stopped by the program."""
    CONNECTING = "connecting"
    """Dialling, or waiting for the first answer to a poll."""
    UP = "up"
    """Events can come in; a link that others dial is up while the application is."""
    BACKING_OFF = "backing off"
    """Waiting to dial again."""
    FAILED = "failed"
    """Given up, until `Link.restart()`."""


_ALLOWED: dict[LinkState, frozenset[LinkState]] = {
    LinkState.CLOSED: frozenset({LinkState.CONNECTING, LinkState.UP, LinkState.FAILED}),
    LinkState.CONNECTING: frozenset(LinkState),
    LinkState.UP: frozenset({LinkState.BACKING_OFF, LinkState.FAILED, LinkState.CLOSED, LinkState.CONNECTING}),
    LinkState.BACKING_OFF: frozenset({LinkState.CONNECTING, LinkState.FAILED, LinkState.CLOSED}),
    LinkState.FAILED: frozenset({LinkState.CONNECTING, LinkState.UP, LinkState.CLOSED}),
}


@dataclass(frozen=True, slots=True)
class Status:
    """A link at one time.

    Args:
        since: When it came into the state.
        reason: Why, in one line without secrets.
        attempt: Which attempt this is since the link was last up; 0 while up.
        retry_at: When the next attempt is due, while backing off.
        last_up: When it was last known to be up, once it has been.
        ups: How often it has come up.
        failures: How many attempts and connections have ended in failure.
        failure: Why the latest of them has ended; it stays while the link is up again. None before the first.
    """

    state: LinkState
    since: Moment
    reason: str = "not started"
    attempt: int = 0
    retry_at: Moment | None = None
    last_up: Moment | None = None
    ups: int = 0
    failures: int = 0
    failure: Failure | None = None


class WrongMove(ValueError):
    """A link was moved to a state that cannot follow its state; a bug."""


def connecting(status: Status, now: Moment) -> Status:
    """Begin an attempt."""
    attempt = status.attempt + 1
    return _moved(status, LinkState.CONNECTING, now, f"attempt {attempt}", attempt=attempt)


def up(status: Status, now: Moment, reason: str = "connected") -> Status:
    """Come up."""
    return _moved(status, LinkState.UP, now, reason, attempt=0, last_up=now, ups=status.ups + 1)


def backing_off(status: Status, now: Moment, failure: Failure, wait: float) -> Status:
    """Wait for the next attempt, `wait` seconds from now."""
    due = Moment(now.monotonic + wait, now.wall + wait)
    changes = {"retry_at": due, "failures": status.failures + 1, "failure": failure}
    return _moved(status, LinkState.BACKING_OFF, now, failure.text, **changes)


def failed(status: Status, now: Moment, reason: str, failure: Failure | None = None) -> Status:
    """Give up."""
    failure = failure or Failure("error", reason, side="us")
    return _moved(status, LinkState.FAILED, now, reason, failures=status.failures + 1, failure=failure)


def closed(status: Status, now: Moment, reason: str) -> Status:
    """Stop because the program wants it."""
    return _moved(status, LinkState.CLOSED, now, reason, attempt=0)


def _moved(status: Status, state: LinkState, now: Moment, reason: str, **changes: object) -> Status:
    if state not in _ALLOWED[status.state]:
        raise WrongMove(f"a link that is {status.state} cannot become {state}")
    last_up = now if status.state is LinkState.UP else status.last_up
    fields = {"retry_at": None, "last_up": last_up, **changes}
    return replace(status, state=state, since=now, reason=reason, **fields)  # type: ignore[arg-type]  # of Status
