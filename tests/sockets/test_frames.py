"""What the cutter makes of a byte stream must not depend on how the network cuts it."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies as st
from websockets.frames import Frame, Opcode

from slipstream._sockets.frames import (
    FrameCutter,
    Violation,
    mask,
    read_close,
    read_frame,
    write_close,
    write_frame,
)

MESSAGES = st.lists(st.tuples(st.booleans(), st.binary(max_size=300)), max_size=8)


@st.composite
def frames_and_noise(draw: st.DrawFn) -> bytes:
    """Draw a frame of any kind, perhaps damaged; or bytes that are none."""
    frame = Frame(
        draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT])),
        draw(st.one_of(st.binary(max_size=140), st.text(max_size=140).map(str.encode), st.just(b"x" * 66_000))),
        fin=draw(st.booleans()),
    ).serialize(mask=draw(st.booleans()))
    damaged = bytes([draw(st.integers(0, 255)), draw(st.integers(0, 255))]) + frame[2:]
    return draw(st.one_of(st.just(frame), st.just(damaged), st.just(frame + frame), st.binary(max_size=200)))


class Cutter(FrameCutter):
    """Keeps what comes out; one frame that is passed on may be the last."""

    def __init__(self, *, masked: bool, max_size: int, goes_on: bool = True) -> None:
        super().__init__(masked=masked, max_size=max_size)
        self.out: list[tuple[str, bytes]] = []
        self.goes_on = goes_on

    def take(self, is_text: bool, payload: bytes) -> None:
        """Keep a message."""
        self.out.append(("text" if is_text else "binary", payload))

    def pass_on(self, frame: bytes) -> bool:
        """Keep a frame."""
        self.out.append(("other", frame))
        return self.goes_on


def cut(stream: bytes, sizes: list[int], *, masked: bool, max_size: int = 2**20) -> list[tuple[str, bytes]]:
    """Feed a stream in pieces; return what came out."""
    cutter = Cutter(masked=masked, max_size=max_size)
    at = 0
    for size in sizes:
        cutter.feed(stream[at : at + size])
        at += size
    cutter.feed(stream[at:])
    return cutter.out


@given(messages=MESSAGES, sizes=st.lists(st.integers(1, 80), max_size=30), masked=st.booleans())
def test_messages_come_out_as_the_library_put_them_in(
    messages: list[tuple[bool, bytes]], sizes: list[int], masked: bool
) -> None:
    """The library's writer and our reader must agree, whatever the pieces."""
    stream = b"".join(
        Frame(Opcode.TEXT if is_text else Opcode.BINARY, payload).serialize(mask=masked)
        for is_text, payload in messages
    )

    out = cut(stream, sizes, masked=masked)

    assert out == [("text" if is_text else "binary", payload) for is_text, payload in messages]


@given(messages=MESSAGES, key=st.one_of(st.just(b""), st.binary(min_size=4, max_size=4)))
def test_what_is_written_is_read_again(messages: list[tuple[bool, bytes]], key: bytes) -> None:
    """Writer and reader are a pair."""
    stream = b"".join(write_frame(is_text, payload, key) for is_text, payload in messages)

    out = cut(stream, [], masked=bool(key))

    assert out == [("text" if is_text else "binary", payload) for is_text, payload in messages]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 200_000])
def test_each_form_of_a_length_is_written_as_the_library_writes_it(size: int) -> None:
    """There are three forms, and the shortest is a must."""
    payload = b"x" * size

    assert write_frame(False, payload) == Frame(Opcode.BINARY, payload).serialize(mask=False)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.PING, b"hi").serialize(mask=True),
        Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True),
        Frame(Opcode.TEXT, b"half", fin=False).serialize(mask=True),
        Frame(Opcode.CONT, b"half").serialize(mask=True),
        Frame(Opcode.TEXT, b"unmasked").serialize(mask=False),
        b"\xc1\x80\x00\x00\x00\x00",
        b"\x83\x80\x00\x00\x00\x00",
    ],
    ids=["ping", "close", "fragment", "continuation", "not masked", "reserved bit", "reserved opcode"],
)
def test_whatever_is_not_a_plain_message_goes_on_whole(frame: bytes) -> None:
    """The full parser answers, gathers or refuses it; it needs every byte, and only its bytes."""
    plain = Frame(Opcode.BINARY, b"plain").serialize(mask=True)

    out = cut(plain + frame, [3, 2, 1], masked=True)

    assert out == [("binary", b"plain"), ("other", frame)]


def test_a_message_within_a_fragmented_one_goes_to_the_full_parser() -> None:
    """It breaks the protocol, and the parser must see that."""
    half = Frame(Opcode.TEXT, b"half", fin=False).serialize(mask=False)
    plain = Frame(Opcode.TEXT, b"plain").serialize(mask=False)

    assert cut(half + plain, [], masked=False) == [("other", half), ("other", plain)]


@given(stream=frames_and_noise(), masked=st.booleans())
def test_a_message_alone_is_what_feeding_it_gives(stream: bytes, masked: bool) -> None:
    """The short way reads a message as the long way does, or leaves everything to it."""
    cutter = Cutter(masked=masked, max_size=70_000)

    message = cutter.only_message(stream)

    assert cutter.out == []
    if message is not None:
        kind, payload = ("text", message.encode()) if isinstance(message, str) else ("binary", message)
        assert cut(stream, [], masked=masked, max_size=70_000) == [(kind, payload)]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("size", [2, 125, 126, 127, 4000, 65535])
def test_a_message_alone_is_taken(size: int, masked: bool) -> None:
    """Whatever the form of its length, but for the longest."""
    cutter = Cutter(masked=masked, max_size=70_000)

    assert cutter.only_message(Frame(Opcode.TEXT, b"x" * size).serialize(mask=masked)) == "x" * size
    assert cutter.only_message(Frame(Opcode.BINARY, b"x" * size).serialize(mask=masked)) == b"x" * size


def test_a_message_alone_is_left_where_it_is_not_alone() -> None:
    """After half of a frame, within a fragmented message, and when the full parser has taken over."""
    plain = Frame(Opcode.TEXT, b"plain").serialize(mask=False)
    half = Frame(Opcode.TEXT, b"half", fin=False).serialize(mask=False)
    too_long = Frame(Opcode.TEXT, b"x" * 101).serialize(mask=False)
    for before in (plain[:3], half, too_long):
        cutter = Cutter(masked=False, max_size=100)
        assert cutter.only_message(plain) == "plain"
        cutter.feed(before)
        assert cutter.only_message(plain) is None


def test_a_frame_that_is_too_long_is_passed_on_at_its_head() -> None:
    """Nobody gathers what will be refused."""
    head = b"\x82\x7f" + (2**40).to_bytes(8)

    assert cut(head + b"abc", [12], masked=False, max_size=100) == [("other", head + b"ab"), ("other", b"c")]


def test_nothing_is_cut_after_the_full_parser_has_ended() -> None:
    """After a close frame bytes mean nothing."""
    close = Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)
    plain = Frame(Opcode.TEXT, b"late").serialize(mask=False)
    cutter = Cutter(masked=False, max_size=100, goes_on=False)

    cutter.feed(close + plain)
    cutter.feed(plain)

    assert cutter.out == [("other", close), ("other", plain), ("other", plain)]


@given(payload=st.binary(max_size=40), key=st.binary(min_size=4, max_size=4))
def test_a_mask_taken_off_leaves_what_was_there(payload: bytes, key: bytes) -> None:
    """Byte by byte, as the RFC has it."""
    assert mask(payload, key) == bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


@given(st.sampled_from([1000, 1005, 1011, 3000, 4999]), st.text(max_size=200))
def test_a_close_frame_is_short_and_says_what_fits(code: int, reason: str) -> None:
    """125 bytes at most, cut between characters."""
    frame = write_close(code, reason)

    assert frame[0] == 0x88
    assert frame[1] == len(frame) - 2 <= 125
    read = read_close(frame[2:])
    assert read[0] == code
    assert reason.encode("utf-8", "replace").decode().startswith(read[1])


@given(st.binary(min_size=2, max_size=200))
def test_any_bytes_are_a_frame_or_a_violation(data: bytes) -> None:
    """Whatever a client sends, the server does not fail."""
    found: Any = None
    with suppress(Violation):
        found = read_frame(data + bytes(14), 100)

    assert found is None or (found.opcode in (0, 1, 2, 8, 9, 10) and len(found.payload) <= 100)
