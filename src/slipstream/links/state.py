"""The life of a link as data: its state, since when by which clock, and why."""

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum

from slipstream.links.rules import Failure


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant by two clocks: monotonic seconds, and seconds since 1970."""

    monotonic: float
    wall: float


class Clock:
    """The machine's clocks, by which links wait; a test moves its own."""

    def now(self) -> Moment:
        """Return the time."""
        return Moment(time.monotonic(), time.time())

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


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


def moved(
    status: Status,
    state: LinkState,
    now: Moment,
    reason: str,
    failure: Failure | None = None,
    wait: float | None = None,
) -> Status:
    """Return the status that follows: in another state from now on, perhaps after a failure, and for `wait` seconds."""
    if state not in _ALLOWED[status.state]:
        raise WrongMove(f"a link that is {status.state} cannot become {state}")
    is_up = state is LinkState.UP
    attempts = {LinkState.CONNECTING: status.attempt + 1, LinkState.UP: 0, LinkState.CLOSED: 0}
    return Status(
        state=state,
        since=now,
        reason=reason,
        attempt=attempts.get(state, status.attempt),
        retry_at=None if wait is None else Moment(now.monotonic + wait, now.wall + wait),
        last_up=now if is_up or status.state is LinkState.UP else status.last_up,
        ups=status.ups + is_up,
        failures=status.failures + (failure is not None),
        failure=failure or status.failure,
    )
