"""Cuts the bytes of an open WebSocket into frames, and writes the plain ones.

Nearly every frame of a bot is a whole, unfragmented message. Such a frame is handed over at once; every
other one (control frames, fragments, anything that breaks the protocol) goes on, whole, to the full
parser of the `websockets` library, which therefore always stands between two frames. Pure: no I/O.

Source: RFC 6455, section 5.2.
"""

from collections.abc import Callable

_TEXT, _BINARY = 0x81, 0x82  # FIN, no reserved bit
_PLAIN = frozenset({_TEXT, _BINARY})
_MASKED = 0x80
_CONTROL = 0x08


class FrameCutter:
    """Cuts the stream that comes from one peer.

    Args:
        masked: Whether the peer must mask, as clients do.
        max_size: Longest frame, in bytes, that is gathered here; the full parser refuses longer ones.
        plain: Called with whether a message is text, and its payload.
        other: Called with the bytes of any other frame. When it returns `False`, the rest of the stream goes
            to it as it comes.
    """

    __slots__ = ("_fragmented", "_masked", "_max_size", "_needed", "_other", "_passing", "_plain", "_rest")

    def __init__(
        self,
        *,
        masked: bool,
        max_size: int,
        plain: Callable[[bool, bytes], None],
        other: Callable[[bytes], bool],
    ) -> None:
        self._masked = _MASKED if masked else 0
        self._max_size = max_size
        self._plain, self._other = plain, other
        self._rest = bytearray()
        self._needed = 0
        self._fragmented = False
        self._passing = False

    def feed(self, data: bytes) -> None:
        """Take in bytes, and hand over each frame that they complete."""
        if self._passing:
            self._other(data)
            return
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        at, end = 0, len(data)
        while end - at >= 2:
            first, second = data[at], data[at + 1]
            start, length = at + 2, second & 0x7F
            if length > 125:
                start += 2 if length == 126 else 8
                if start > end:
                    break
                length = int.from_bytes(data[at + 2 : start])
            if length > self._max_size:
                self._pass(data[at:])
                return
            start += 4 if second & _MASKED else 0
            stop = start + length
            if stop > end:
                self._rest += data[at:]
                self._needed = stop - at
                return
            if first in _PLAIN and second & _MASKED == self._masked and not self._fragmented:
                payload = data[start:stop]
                if second & _MASKED:
                    payload = mask(payload, data[start - 4 : start])
                self._plain(first == _TEXT, payload)
            else:
                if not first & _CONTROL:
                    self._fragmented = not first & 0x80
                if not self._other(data[at:stop]):
                    self._passing = True
                    if stop < end:
                        self._other(data[stop:])
                    return
            at = stop
        if at < end:
            self._rest += data[at:]
            self._needed = 0

    def _pass(self, data: bytes) -> None:
        self._passing = True
        self._other(data)


def mask(payload: bytes, key: bytes) -> bytes:
    """Put the mask of a four-byte key on a payload, or take it off; time is linear in its size."""
    size = len(payload)
    if not size:
        return payload
    pattern = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")).to_bytes(size, "little")


def write_frame(is_text: bool, payload: bytes, key: bytes = b"") -> bytes:
    """Return a whole message as one frame.

    Args:
        is_text: Whether the payload is text.
        payload: The message.
        key: Four unpredictable bytes to mask it with, as clients must; none for a server.
    """
    first, size, masked = _TEXT if is_text else _BINARY, len(payload), _MASKED if key else 0
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 65536:
        head = bytes((first, masked | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8)
    return head + key + mask(payload, key) if key else head + payload
