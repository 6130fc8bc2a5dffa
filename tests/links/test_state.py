"""The life of a link as data."""

import pytest

from slipstream.links.rules import Failure
from slipstream.links.state import LinkState, Moment, Status, WrongMove, moved

CLOSED, CONNECTING, UP, BACKING_OFF, FAILED = LinkState


def at(seconds: float) -> Moment:
    return Moment(seconds, 1_000_000 + seconds)


def test_a_life_tells_when_why_and_how_often() -> None:
    """Whoever reads the status of a link knows its history without the log."""
    status = Status(CLOSED, at(0))

    first = moved(status, CONNECTING, at(1), "attempt 1")
    refused = moved(first, BACKING_OFF, at(2), "refused", Failure("refused", "refused"), 5)
    second = moved(refused, CONNECTING, at(7), "attempt 2")
    there = moved(second, UP, at(8), "connected")
    lost = moved(there, BACKING_OFF, at(100), "lost", Failure("closed", "lost"), 1)

    assert (first.attempt, second.attempt, there.attempt) == (1, 2, 0)
    assert refused.retry_at == at(7)
    assert second.retry_at is None
    assert (there.ups, there.failures) == (1, 1)
    assert there.failure == Failure("refused", "refused")
    assert (lost.state, lost.reason, lost.since, lost.last_up) == (BACKING_OFF, "lost", at(100), at(100))


def test_a_failed_link_says_why_and_can_be_revived() -> None:
    """Failure is a state with a reason, not silence."""
    refused, why = Failure("status", "401", 401), "401, 3 times in a row"
    failed = moved(moved(Status(CLOSED, at(0)), CONNECTING, at(1), "attempt 1"), FAILED, at(2), why, refused)

    assert (failed.state, failed.reason, failed.failures, failed.failure) == (FAILED, why, 1, refused)
    assert moved(failed, CONNECTING, at(3), "attempt 2").state is CONNECTING
    assert moved(failed, CLOSED, at(3), "removed").state is CLOSED


def test_moves_that_make_no_sense_are_refused() -> None:
    """A link that is closed cannot back off: whoever moves it so has a bug."""
    closed = Status(CLOSED, at(0))

    with pytest.raises(WrongMove, match="closed cannot become backing off"):
        moved(closed, BACKING_OFF, at(1), "lost", Failure("closed", "lost"), 1)
    with pytest.raises(WrongMove):
        moved(closed, CLOSED, at(1), "again")
