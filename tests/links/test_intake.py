"""From a wire to whoever receives, without a peer."""

import asyncio
from typing import Any

import pytest

from slipstream._sockets.frames import write_frame
from slipstream._sockets.wire import Wire
from slipstream.links.intake import Intake, TooLong
from slipstream.links.queue import Inbox, QueueFull, QueuePolicy

pytestmark = pytest.mark.anyio


class Transport(asyncio.Transport):
    """Notes whether it is read."""

    is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return False


class Queue:
    """Receives messages into a bounded queue."""

    def __init__(self, size: int, policy: QueuePolicy = "wait") -> None:
        self.inbox: Inbox[Any] = Inbox(size, policy)

    def take(self, connection: Any, message: Any, reader: Any, is_alone: bool) -> bool:
        return self.inbox.offer(message, reader, is_alone=is_alone)


def wire() -> Wire:
    """Make a wire of a client."""
    made = Wire(asyncio.get_running_loop(), masked=False, max_size=10_000_000, high=4, low=1)
    made.transport = Transport()
    return made


def frames(*numbers: int) -> bytes:
    return b"".join(write_frame(True, str(number).encode()) for number in numbers)


async def test_a_peer_that_is_faster_than_its_handlers_has_to_wait_and_nothing_is_lost() -> None:
    """One read of a socket may bring thousands of messages; the queue takes no more than it holds."""
    queue, source = Queue(2), wire()
    transport: Any = source.transport
    intake = asyncio.ensure_future(Intake(queue, None).pour(source))
    await asyncio.sleep(0)

    source.data_received(frames(*range(20)))
    source.data_received(frames(20))
    was_read, was_held = transport.is_read, len(queue.inbox)
    got = [await queue.inbox.get() for _ in range(21)]
    source.queue.put_nowait(None)

    assert (was_read, was_held, transport.is_read) == (False, 2, True)
    assert got == [str(number) for number in range(21)]
    assert await intake is None


async def test_what_came_before_anybody_took_it_is_not_lost() -> None:
    """A peer may send with its handshake, and the end may come with it."""
    queue, source = Queue(5), wire()
    source.data_received(frames(1, 2))
    source.queue.put_nowait(None)

    assert await Intake(queue, None).pour(source) is None
    assert [await queue.inbox.get(), await queue.inbox.get()] == ["1", "2"]


@pytest.mark.parametrize("is_fetched", [False, True])
async def test_a_full_queue_and_a_long_message_end_the_intake(is_fetched: bool) -> None:
    """Whoever holds the connection closes it with the code for that."""
    ways = [(frames(1, 2, 3), ["1", "2", "3"], QueueFull), (frames(123456), ["123456"], TooLong)]
    for raw, messages, error in ways:
        source = wire()
        intake = Intake(Queue(2, "close"), None, 5)

        async def receive(left: Any = messages) -> Any:
            return left.pop(0)

        source.data_received(raw)
        with pytest.raises(error):
            await (intake.fetch(receive) if is_fetched else intake.pour(source))


async def test_a_fetched_message_that_finds_no_room_is_waited_for() -> None:
    """Under a server that is not ours, or behind middleware."""
    queue, messages = Queue(1), ["1", "2", "3", None]

    async def receive() -> Any:
        return messages.pop(0)

    intake = asyncio.ensure_future(Intake(queue, None).fetch(receive))
    for _ in range(5):
        await asyncio.sleep(0)
    unread = list(messages)

    assert unread == ["3", None]
    assert [await queue.inbox.get() for _ in range(3)] == ["1", "2", "3"]
    assert await intake is None
