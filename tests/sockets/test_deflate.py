"""Compression of messages, with a peer that is zlib itself."""

import zlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from slipstream._sockets.deflate import Deflate, Terms
from slipstream._sockets.frames import Violation

TAIL = b"\x00\x00\xff\xff"
MOST = 1 << 20


def packed(compressor: Any, message: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """Compress as a peer does."""
    return bytes(compressor.compress(message) + compressor.flush(flush)).removesuffix(TAIL)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=300).map(lambda text: text * 3), st.booleans())))
def test_a_peer_with_one_context_reads_all_whoever_compressed_it(sent: list[tuple[str, bytes, bool]]) -> None:
    """The shared compressor, one of the connection's own, and the shared one again after a rest."""
    shared: dict[int, Any] = {}
    ours = {name: Deflate(Terms(False, False, bits, 15), shared) for name, bits in (("a", 12), ("b", 9))}
    peers = {name: zlib.decompressobj(wbits=-bits) for name, bits in (("a", 12), ("b", 9))}

    for name, message, rests in sent:
        assert peers[name].decompress(ours[name].compress(message) + TAIL) == message
        if rests:
            ours[name].rest()


@given(st.lists(st.binary(max_size=300)))
def test_a_side_that_promised_to_forget_does(sent: list[bytes]) -> None:
    """`server_no_context_takeover`: a new peer reads each message."""
    ours = Deflate(Terms(True, False, 12, 15), {})

    for message in sent:
        assert zlib.decompressobj(wbits=-12).decompress(ours.compress(message) + TAIL) == message


def test_a_busy_connection_is_compressed_by_what_went_before() -> None:
    """From the second message on, until it rests."""
    ours, message = Deflate(Terms(False, False, 12, 15), {}), bytes(range(256))

    sizes = [len(ours.compress(message)) for _ in range(3)]

    assert sizes[2] < 20 < sizes[0]
    ours.rest()
    ours.rest()
    assert len(ours.compress(message)) == sizes[0]


@given(st.lists(st.binary(max_size=300)), st.booleans())
def test_what_a_peer_compressed_is_read(sent: list[bytes], forgets: bool) -> None:
    """With its context, or without."""
    ours, peer = Deflate(Terms(False, forgets, 12, 15), {}), zlib.compressobj(wbits=-15)

    for message in sent:
        assert ours.decompress(packed(peer, message), MOST) == message
        if forgets:
            peer = zlib.compressobj(wbits=-15)


def test_a_stream_that_ends_is_followed_by_another() -> None:
    """RFC 7692, section 7.2.3.4: a message may have a final block."""
    ours = Deflate(Terms(False, False, 12, 15), {})

    for message in (b"one", b"two"):
        assert ours.decompress(packed(zlib.compressobj(wbits=-15), message, zlib.Z_FINISH), MOST) == message


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"\xff\xff\xff", 1002), (packed(zlib.compressobj(wbits=-15), bytes(1001)), 1009)],
)
def test_what_cannot_be_read_or_is_a_bomb_ends_the_connection(payload: bytes, code: int) -> None:
    """A few bytes may stand for a thousand times as many."""
    with pytest.raises(Violation) as raised:
        Deflate(Terms(False, False, 12, 15), {}).decompress(payload, 1000)

    assert raised.value.code == code


def test_a_message_may_be_as_long_as_the_longest() -> None:
    """The bound is one byte further."""
    payload = packed(zlib.compressobj(wbits=-15), bytes(1000))

    assert Deflate(Terms(False, False, 12, 15), {}).decompress(payload, 1000) == bytes(1000)
