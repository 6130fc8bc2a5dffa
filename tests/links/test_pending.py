"""Calls that wait for their replies, and the window over the ids of the latest events."""

import asyncio
import gc

import pytest
from hypothesis import given, strategies as st

from slipstream.links.pending import DedupeWindow, PendingCalls

pytestmark = pytest.mark.anyio


async def test_a_reply_finds_its_call() -> None:
    """Replies may come in any order."""
    calls = PendingCalls()
    first, second = calls.open("1"), calls.open("2")

    assert calls.resolve("2", "b")
    assert calls.resolve("1", "a")

    assert (await first, await second) == ("a", "b")
    assert not calls.expects_replies


async def test_every_call_fails_at_once_when_the_link_goes_down() -> None:
    """Nobody waits half a minute for a reply that cannot come."""
    calls = PendingCalls()
    futures = [calls.open(calls.new_id()) for _ in range(3)]

    assert calls.fail(ConnectionError("down")) == 3

    for future in futures:
        with pytest.raises(ConnectionError):
            await future
    assert len(calls) == 0


async def test_calls_over_another_connection_go_on() -> None:
    """A peer may have several, and the end of one is not that of the others."""
    calls, ended, other = PendingCalls(), object(), object()
    lost, answered = calls.open("1", ended), calls.open("2", other)

    assert calls.fail(ConnectionError("down"), ended) == 1
    assert calls.resolve("2", "b")

    with pytest.raises(ConnectionError):
        await lost
    assert await answered == "b"


async def test_a_call_that_nobody_waits_for_any_more_fails_in_silence() -> None:
    """Whoever called may have failed by what it sent, at the same moment; the log is not to complain of that."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    calls = PendingCalls()
    calls.open("1")

    calls.fail(ConnectionError("down"))
    gc.collect()

    assert complaints == []


async def test_a_late_reply_is_known_as_one() -> None:
    """It must not reach the handler as if it were an event."""
    calls = PendingCalls()
    calls.open("1")
    calls.give_up("1")

    assert calls.expects_replies
    assert calls.resolve("1", "late")
    assert not calls.resolve("2", "of no call")


async def test_two_calls_cannot_share_an_id() -> None:
    """The first would never get its reply."""
    calls = PendingCalls()
    calls.open("1")

    with pytest.raises(ValueError, match="waiting already"):
        calls.open("1")


async def test_a_reply_to_a_call_that_was_cancelled_is_passed_over() -> None:
    """Whoever waited may be gone."""
    calls = PendingCalls()
    calls.open("1").cancel()

    assert calls.resolve("1", "reply")


async def test_a_made_id_is_none_that_the_program_uses_itself() -> None:
    """A program may number its calls too; two with one id could not be told apart."""
    calls = PendingCalls()
    calls.open("1")

    assert calls.new_id() == "2"
    calls.give_up("1")
    assert [calls.new_id(), calls.new_id()] == ["3", "4"]


@given(size=st.integers(1, 20), ids=st.lists(st.integers(0, 30)))
def test_an_id_is_known_while_fewer_than_size_others_have_followed(size: int, ids: list[int]) -> None:
    """The window is what it says, whatever comes."""
    window = DedupeWindow(size)
    for position, event_id in enumerate(ids):
        before = ids[:position]
        is_known = event_id in before and len(set(before[len(before) - before[::-1].index(event_id) :])) < size

        assert window.add(event_id) is not is_known
        assert len(window) <= size


def test_a_window_of_nothing_knows_nothing() -> None:
    """`dedupe=0` switches it off."""
    window = DedupeWindow(0)

    assert window.add(1)
    assert window.add(1)
    assert 1 not in window


def test_an_id_can_be_forgotten() -> None:
    """An event that found no room has to be taken when it comes again."""
    window = DedupeWindow(2)
    window.add("a")
    window.discard("a")
    window.discard("never there")

    assert window.add("a")
