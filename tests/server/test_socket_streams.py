"""A client's bytes: how the network cuts them must make no difference, and none may break the server."""

import asyncio
import zlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.server.test_server_sockets import closing, connected, framed, frames_in, handshake

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def compressed(text: bytes) -> bytes:
    """Compress a message by itself."""
    compressor = zlib.compressobj(wbits=-12)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


PAYLOADS = st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode))
FRAMES = st.one_of(
    st.builds(framed, PAYLOADS, st.sampled_from([0x81, 0x82])),
    st.builds(framed, PAYLOADS, st.sampled_from([0x01, 0x02, 0x00, 0x80])),
    st.builds(framed, PAYLOADS.map(compressed), st.sampled_from([0xC1, 0xC2])),
    st.builds(framed, st.binary(max_size=125), st.sampled_from([0x89, 0x8A])),
    st.builds(closing, st.sampled_from([1000, 3000, 1006]), st.binary(max_size=20)),
    st.builds(framed, PAYLOADS, st.integers(0, 255), masked=st.booleans()),
    st.binary(max_size=20),
)


async def outcome(pieces: list[bytes]) -> tuple[Any, ...]:
    """Return what the application has got, what was written, and what became of the connection."""
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            got.append(event.get("text", event.get("bytes")))
        got.append(event)

    failures: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    connection = connected(app, ws_max_size=150)
    await connection.feed(handshake("/", OFFER))
    before = connection.transport.written
    for piece in pieces:
        await connection.feed(piece)
    written = connection.transport.written[len(before) :]
    fate = connection.fate
    connection.end()
    await connection.settle()
    assert failures == []
    return got, frames_in(b"\r\n\r\n" + written), fate


@pytest.mark.timeout(120)
@given(st.lists(FRAMES, max_size=5).map(b"".join), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_no_cut_makes_a_difference(stream: bytes, sizes: list[int]) -> None:
    """Whole, and in pieces of drawn sizes; the first that breaks the protocol ends all the same way."""
    pieces, at = [], 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size

    async def both() -> list[tuple[Any, ...]]:
        return [await outcome([stream]), await outcome(pieces)]

    whole, cut = asyncio.run(both())

    assert cut == whole
