"""The bounded queue between what a peer sends and what handles it."""

import asyncio

import pytest

from slipstream.links.queue import Inbox, QueueClosed, QueueFull

pytestmark = pytest.mark.anyio


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_items_come_out_in_the_order_in_which_they_went_in() -> None:
    """Order is what a link promises."""
    inbox: Inbox[int] = Inbox(10, "wait")
    for number in range(5):
        await inbox.put(number)

    assert [await inbox.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert inbox.high_water == 5


async def test_a_full_queue_that_waits_holds_its_reader() -> None:
    """Nothing is lost and nothing grows: the peer has to wait."""
    inbox: Inbox[int] = Inbox(1, "wait")
    await inbox.put(1)
    putting = asyncio.ensure_future(inbox.put(2))
    await settle()
    assert inbox.is_blocked
    assert not putting.done()

    assert await inbox.get() == 1
    await putting

    assert await inbox.get() == 2
    assert not inbox.is_blocked


async def test_nobody_overtakes_whoever_waits_for_room() -> None:
    """Two connections of one peer bring events in order; the queue must not turn it round."""
    inbox: Inbox[int] = Inbox(1, "wait")
    await inbox.put(1)
    first = asyncio.ensure_future(inbox.put(2))
    await settle()
    assert await inbox.get() == 1  # there is room now, and the first has not noticed yet
    second = asyncio.ensure_future(inbox.put(3))

    assert [await inbox.get(), await inbox.get()] == [2, 3]
    await asyncio.gather(first, second)


async def test_a_full_queue_that_drops_lets_the_oldest_go() -> None:
    """For a price feed the latest counts; what goes is counted and told."""
    told: list[int] = []
    inbox = Inbox(2, "drop_oldest", told.append)
    for number in range(5):
        await inbox.put(number)

    assert told == [0, 1, 2]
    assert [await inbox.get(), await inbox.get()] == [3, 4]


async def test_a_full_queue_that_closes_says_so() -> None:
    """The connection ends, and a peer that resumes sends the event again."""
    inbox: Inbox[int] = Inbox(1, "close")
    await inbox.put(1)

    with pytest.raises(QueueFull):
        await inbox.put(2)


async def test_a_handler_that_waits_for_a_reply_does_not_block_its_own_reader() -> None:
    """The reply stands behind the events; the queue may grow to twice its size to get at it, and no further."""
    inbox: Inbox[int] = Inbox(2, "wait")
    await inbox.put(1)
    await inbox.put(2)
    putting = asyncio.ensure_future(inbox.put(3))
    await settle()

    inbox.allow_overflow(True)
    await putting
    await inbox.put(4)
    fifth = asyncio.ensure_future(inbox.put(5))
    await settle()

    assert not fifth.done()
    fifth.cancel()


async def test_a_closed_queue_gives_what_it_has_and_takes_no_more() -> None:
    """What came before the end of a connection is still there to be read."""
    inbox: Inbox[int] = Inbox(1, "wait")
    await inbox.put(1)
    putting = asyncio.ensure_future(inbox.put(2))
    await settle()
    inbox.close()

    with pytest.raises(QueueClosed):
        await putting
    assert await inbox.get() == 1
    with pytest.raises(QueueClosed):
        await inbox.get()


async def test_joining_waits_for_what_is_being_handled() -> None:
    """Draining at shutdown means handled, not merely taken."""
    inbox: Inbox[int] = Inbox(5, "wait")
    await inbox.put(1)
    await inbox.put(2)
    joining = asyncio.ensure_future(inbox.join())
    await inbox.get()
    await settle()
    assert not joining.done()
    inbox.done()

    inbox.clear()
    assert len(inbox) == 0
    await joining
    await inbox.join()


async def test_a_reader_that_gives_up_leaves_no_trace() -> None:
    """A cancelled wait must not swallow somebody else's turn."""
    inbox: Inbox[int] = Inbox(1, "wait")
    first, second = asyncio.ensure_future(inbox.get()), asyncio.ensure_future(inbox.get())
    await settle()
    first.cancel()
    await settle()
    await inbox.put(7)

    assert await second == 7
