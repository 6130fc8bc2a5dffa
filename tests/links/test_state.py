"""The life of a link as data."""

import pytest

from slipstream.links import state
from slipstream.links.clock import Moment
from slipstream.links.rules import Failure
from slipstream.links.state import LinkState, Status, WrongMove


def at(seconds: float) -> Moment:
    return Moment(seconds, 1_000_000 + seconds)


def test_a_life_tells_when_why_and_how_often() -> None:
    """Whoever reads the status of a link knows its history without the log."""
    status = Status(LinkState.CLOSED, at(0))

    first = state.connecting(status, at(1))
    refused = state.backing_off(first, at(2), Failure("refused", "refused"), 5)
    second = state.connecting(refused, at(7))
    there = state.up(second, at(8))
    lost = state.backing_off(there, at(100), Failure("closed", "lost"), 1)

    assert (first.attempt, second.attempt, there.attempt) == (1, 2, 0)
    assert refused.retry_at == at(7)
    assert second.retry_at is None
    assert (there.ups, there.failures) == (1, 1)
    assert there.failure == Failure("refused", "refused")
    assert (lost.state, lost.reason, lost.since, lost.last_up) == (LinkState.BACKING_OFF, "lost", at(100), at(100))


def test_a_failed_link_says_why_and_can_be_revived() -> None:
    """Failure is a state with a reason, not silence."""
    failed = state.failed(state.connecting(Status(LinkState.CLOSED, at(0)), at(1)), at(2), "401, 3 times in a row")

    assert (failed.state, failed.reason, failed.failures) == (LinkState.FAILED, "401, 3 times in a row", 1)
    assert state.connecting(failed, at(3)).state is LinkState.CONNECTING
    assert state.closed(failed, at(3), "removed").state is LinkState.CLOSED


def test_moves_that_make_no_sense_are_refused() -> None:
    """A link that is closed cannot back off: whoever moves it so has a bug."""
    closed = Status(LinkState.CLOSED, at(0))

    with pytest.raises(WrongMove, match="closed cannot become backing off"):
        state.backing_off(closed, at(1), Failure("closed", "lost"), 1)
    with pytest.raises(WrongMove):
        state.closed(closed, at(1), "again")
