"""What links promise, at full size: numbered events over forced disconnects, and a herd that returns."""

import pytest

from benchmarks.links import Figures, accepted, dialled, herd, polled

pytestmark = pytest.mark.anyio

EVENTS, CUTS = 10_000, 200


def check(figures: Figures, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{figures}")
    assert figures.handled == list(range(1, EVENTS + 1)), "once each, in order, none invented"
    assert sum(figures.cuts.values()) >= CUTS
    # Not spinning: some attempts a cut while a server restarts, and a small part of the time spent on a processor.
    assert figures.attempts <= 20 * CUTS
    assert figures.cpu_seconds < 0.8 * figures.seconds + 1


async def test_dialled_events_are_handled_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Close, FIN, RST, half-open, restart; the peer resumes with some events again, which are passed over."""
    figures = await dialled(EVENTS, CUTS)

    check(figures, capsys)
    assert figures.duplicates_passed_over > 0


async def test_nothing_that_arrived_is_lost_without_resuming(capsys: pytest.CaptureFixture[str]) -> None:
    """Close, FIN and half-open lose nothing even with a peer that cannot send again."""
    figures = await dialled(EVENTS, CUTS, resumes=False, ways=("close", "FIN", "half-open"))

    check(figures, capsys)


async def test_polled_events_are_handled_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Cut answers, refusals, garbage, silence, restart: the cursor says where we are."""
    check(await polled(EVENTS, CUTS), capsys)


async def test_accepted_events_are_handled_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """The same where the peer dials us, and our own server restarts meanwhile."""
    check(await accepted(EVENTS, CUTS), capsys)


@pytest.mark.parametrize("first", [1.0, 0.05])
async def test_a_herd_does_not_return_at_once(first: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 30 links that lose their server, at most half are back within any 100 ms, however short their waits."""
    returned = await herd(30, first)

    with capsys.disabled():
        print(f"\n{returned}")
    assert returned.most_in_100_ms <= 15
