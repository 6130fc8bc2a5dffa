"""Calls that wait for their replies."""

import asyncio
import gc

import pytest

from slipstream.links.pending import PendingCalls

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
