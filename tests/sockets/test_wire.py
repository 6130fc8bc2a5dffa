"""How much of what a peer sends is taken in while nobody fetches it. The wire over real sockets: tests/bots/nonebot."""

import asyncio
from typing import Any

import pytest

from slipstream._sockets.frames import write_frame
from slipstream._sockets.wire import Wire


class Transport(asyncio.Transport):
    """Notes whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return False


@pytest.fixture
def wire() -> Any:
    """A wire of a client, which gets nothing but messages."""
    loop = asyncio.new_event_loop()
    made = Wire(loop, masked=False, max_size=10_000_000, high=4, low=1)
    made.transport = Transport()
    yield made
    loop.close()


def fetch(wire: Any) -> Any:
    """Take a message as a receiver does that finds one."""
    message = wire.queue.items.popleft()
    if wire.read_paused:
        wire.resume()
    return message


def test_as_many_messages_wait_as_may(wire: Any) -> None:
    """Then the peer has to; when few are left, the socket is read again."""
    seen = []
    for _ in range(4):
        wire.data_received(write_frame(True, b"small"))
        seen.append(wire.transport.is_read)
    for _ in range(4):
        fetch(wire)
        seen.append(wire.transport.is_read)

    assert seen == [True, True, True, False, False, False, True, True]


def test_one_large_message_that_waits_is_enough(wire: Any) -> None:
    """Or a peer could fill the memory with so many of the largest."""
    wire.data_received(write_frame(False, b"x" * 65_535))
    assert wire.transport.is_read
    wire.data_received(write_frame(False, b"x" * 65_536))
    assert not wire.transport.is_read

    assert [len(fetch(wire)), wire.transport.is_read] == [65_535, True]
    assert [len(fetch(wire)), wire.transport.is_read] == [65_536, True]


class Keeper:
    """Takes messages, and keeps them."""

    def __init__(self) -> None:
        self.got: list[str | bytes] = []

    def take(self, message: str | bytes, is_alone: bool) -> bool:
        self.got.append(message)
        return True

    def finish(self, end: Any) -> None:
        """Do nothing."""


def test_a_taker_of_bytes_is_spared_the_text_and_nothing_that_is_not_utf8_comes_through(
    wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants bytes would encode what was decoded; the check of the encoding stays."""
    refused = []

    monkeypatch.setattr(Wire, "refuse_text", lambda _: refused.append(True))
    taker = Keeper()
    wire.give_to(taker, as_bytes=True)
    for text in ("plain", "häßlich"):
        wire.data_received(write_frame(True, text.encode()))
    wire.data_received(write_frame(False, b"\xff"))
    wire.data_received(write_frame(True, b"\xff"))
    as_bytes = [each if isinstance(each, bytes) else each.encode() for each in taker.got]

    assert taker.got[0] == b"plain"
    assert as_bytes == [b"plain", "häßlich".encode(), b"\xff"]
    assert refused == [True]
