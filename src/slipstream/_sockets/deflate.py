"""Compression of messages (RFC 7692), which holds no memory for a side that has not used it, or not lately."""

import zlib
from typing import Any, Final, NamedTuple

from slipstream._sockets.frames import Violation

_TAIL: Final = b"\x00\x00\xff\xff"
_LEVEL: Final = 5
"""Of memory, for a compressor: 16 KiB beside its window."""
LEAST: Final = 64
"""Size in bytes from which a message is compressed."""


class Terms(NamedTuple):
    """What both sides have agreed on."""

    forgets: bool
    """Whether each message that we write is compressed by itself."""
    peer_forgets: bool
    bits: int
    """Of our window, 9 to 15."""
    peer_bits: int


class Deflate:
    """Compresses the messages of one side of a connection, and decompresses those of the other.

    Args:
        terms: Of the connection.
        shared: Compressors of all connections of a loop, by bits.
    """

    __slots__ = ("_compressor", "_decompressor", "_is_used", "_shared", "_terms")

    def __init__(self, terms: Terms, shared: dict[int, Any]) -> None:
        self._terms, self._shared = terms, shared
        self._compressor: Any = None
        self._decompressor: Any = None
        self._is_used = False

    def compress(self, payload: bytes) -> bytes:
        """Return what to send for a message.

        A compressor, 38 KiB, is this connection's own only while it sends more than a message a second. Otherwise it is
        one for all, which forgets each message: it has pointed at nothing that the other side has not got.
        """
        terms, compressor, flush = self._terms, self._compressor, zlib.Z_SYNC_FLUSH
        if compressor is None:
            if self._is_used and not terms.forgets:
                self._compressor = compressor = _compressor(terms.bits)
            else:
                compressor, flush = self._shared.get(terms.bits), zlib.Z_FULL_FLUSH
                if compressor is None:
                    compressor = self._shared[terms.bits] = _compressor(terms.bits)
        self._is_used = True
        return bytes(compressor.compress(payload) + compressor.flush(flush))[: -len(_TAIL)]

    def decompress(self, payload: bytes, max_size: int) -> bytes:
        """Return the message for what has come.

        Raises:
            Violation: It is not compressed (1002), or longer than that (1009).
        """
        decompressor = self._decompressor or zlib.decompressobj(wbits=-self._terms.peer_bits)
        try:
            message = decompressor.decompress(payload + _TAIL, min(max_size + 1, 2**31))
        except zlib.error:
            raise Violation(1002, "decompression failed") from None
        if len(message) > max_size or decompressor.unconsumed_tail:
            raise Violation(1009, "message too big")
        # A stream that has ended is followed by another.
        self._decompressor = None if self._terms.peer_forgets or decompressor.eof else decompressor
        return bytes(message)

    def rest(self) -> None:
        """Give up the connection's own compressor if nothing was sent since the last call; called once a second."""
        if not self._is_used:
            self._compressor = None
        self._is_used = False


def _compressor(bits: int) -> Any:
    return zlib.compressobj(wbits=-bits, memLevel=_LEVEL)
