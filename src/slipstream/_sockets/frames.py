"""Cuts the bytes of an open WebSocket into frames (RFC 6455, section 5.2), and writes plain ones. No I/O.

Nearly every frame is a whole message. All others (control frames, fragments, violations of the protocol) are passed
on, whole: a server has them read by `read_frame`, a client by the full parser of the library `websockets`, which
therefore always stands between two frames.
"""

import os
from typing import Final, NamedTuple

try:
    from websockets.speedups import apply_mask as mask
except ImportError:  # installed without a compiler
    from websockets.utils import apply_mask as mask

_TEXT, _BINARY = 0x81, 0x82  # FIN, no reserved bit
_PLAIN = frozenset({_TEXT, _BINARY})
_SHORT_TEXT, _SHORT_BINARY = (tuple(bytes((first, size)) for size in range(126)) for first in (_TEXT, _BINARY))
_MASKED = 0x80
_CONTROL = 0x08


class FrameCutter:
    """Cuts the stream of one peer, who has to mask or not; subclasses take the frames of up to `max_size` bytes."""

    __slots__ = ("_as_bytes", "_fragmented", "_mask", "_max_size", "_needed", "_passing", "_rest")

    def __init__(self, *, masked: bool, max_size: int) -> None:
        self._mask = _MASKED if masked else 0
        self._max_size = max_size
        self._rest: bytearray | None = None
        self._needed = 0
        self._fragmented = False
        self._passing = False
        self._as_bytes = False

    def take(self, is_text: bool, payload: bytes) -> None:
        """Take a whole message."""
        raise NotImplementedError

    def pass_on(self, frame: bytes) -> bool:
        """Take any other frame; if it returns False, it gets the rest of the stream, uncut."""
        raise NotImplementedError

    def only_message(self, data: bytes) -> str | bytes | None:
        """Return the message if the bytes are exactly one plain frame; otherwise take in nothing."""
        size = len(data)
        if size < 4 or self._rest is not None or self._fragmented or self._passing:
            return None
        length, start = data[1] ^ self._mask, 2
        if length >= 126:
            if length > 126:  # very long, or masked wrongly
                return None
            length, start = data[2] << 8 | data[3], 4
        if self._mask:
            start += 4
        if start + length != size or length > self._max_size:
            return None
        payload = mask(data[start:], data[start - 4 : start]) if self._mask else data[start:]
        first = data[0]
        if first == _BINARY or (self._as_bytes and first == _TEXT and payload.isascii()):
            return payload
        if first != _TEXT:
            return None
        try:
            return payload.decode()
        except UnicodeDecodeError:
            return None

    def feed(self, data: bytes) -> None:
        """Take in bytes, and call `take` or `pass_on` for each frame that they complete."""
        if self._passing:
            self.pass_on(data)
            return
        if self._rest is not None:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data, self._rest = bytes(self._rest), None
        at, end = 0, len(data)
        while end - at >= 2:
            first, second = data[at], data[at + 1]
            start, length = at + 2, second & 0x7F
            if length > 125:
                start += 2 if length == 126 else 8
                if start > end:
                    break
                length = data[at + 2] << 8 | data[at + 3] if length == 126 else int.from_bytes(data[at + 2 : start])
            if length > self._max_size:
                self._passing = True
                self.pass_on(data[at:])
                return
            key = start
            start += 4 if second & _MASKED else 0
            stop = start + length
            if stop > end:
                self._rest, self._needed = bytearray(data[at:]), stop - at
                return
            if first in _PLAIN and second & _MASKED == self._mask and not self._fragmented:
                payload = data[start:stop]
                self.take(first == _TEXT, mask(payload, data[key:start]) if key < start else payload)
            else:
                if not first & _CONTROL:
                    self._fragmented = not first & 0x80
                if not self.pass_on(data[at:stop]):
                    self._passing = True
                    if stop < end:
                        self.pass_on(data[stop:])
                    return
            at = stop
        if at < end:
            self._rest, self._needed = bytearray(data[at:]), 0


CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FIN, _COMPRESSED, _RESERVED = 0x80, 0x40, 0x70
_OPCODES: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_LONGEST_CONTROL: Final = 125
_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
"""Those that a close frame may have, below those of programs: 3000 to 4999 (RFC 6455, section 7.4)."""


class Violation(Exception):
    """What ends a connection: the code of the close frame, and a reason of at most 123 bytes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Frame(NamedTuple):
    """A frame, without its mask."""

    opcode: int
    is_last: bool
    is_compressed: bool
    payload: bytes


def read_frame(frame: bytes, max_size: int) -> Frame:
    """Read a frame of a client, which is there whole unless it is longer than the longest.

    Raises:
        Violation: It may not come from a client (1002), or is too long (1009).
    """
    first, second = frame[0], frame[1]
    opcode, length, start = first & 0x0F, second & 0x7F, 2
    if opcode not in _OPCODES:
        raise Violation(1002, f"unknown opcode {opcode}")
    if not second & _MASKED:
        raise Violation(1002, "frame without a mask")
    if opcode & _CONTROL and (first & (_FIN | _RESERVED) != _FIN or length > _LONGEST_CONTROL):
        raise Violation(1002, "control frame that is no short whole one")
    if first & _RESERVED & ~_COMPRESSED or (first & _COMPRESSED and opcode == CONTINUATION):
        raise Violation(1002, "reserved bit set")
    if length > 125:
        start += 2 if length == 126 else 8
        length = int.from_bytes(frame[2:start])
    if length > max_size:
        raise Violation(1009, "frame too big")
    key, start = frame[start : start + 4], start + 4
    return Frame(opcode, bool(first & _FIN), bool(first & _COMPRESSED), mask(frame[start : start + length], key))


def read_close(payload: bytes) -> tuple[int, str]:
    """Read the payload of a close frame: code and reason; 1005 if there is none.

    Raises:
        Violation: It has no such form (1002), or its reason is not UTF-8 (1007).
    """
    if not payload:
        return 1005, ""
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or not (code in _CLOSE_CODES or 3000 <= code < 5000):
        raise Violation(1002, "invalid close frame")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(1007, "reason that is not UTF-8") from None


def write_close(code: int, reason: str) -> bytes:
    """Return a server's close frame; a code that no frame may have is left out, a reason of more than 123 bytes cut."""
    if code == 1005:
        return write_control(CLOSE, b"")
    said = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore").encode()
    return write_control(CLOSE, code.to_bytes(2) + said)


def write_control(opcode: int, payload: bytes) -> bytes:
    """Return a server's control frame."""
    return bytes((_FIN | opcode, len(payload))) + payload


def write_compressed(is_text: bool, payload: bytes) -> bytes:
    """Return a whole message, which is compressed, as a server's frame."""
    frame = write_frame(is_text, payload)
    return bytes((frame[0] | _COMPRESSED,)) + frame[1:]


def write_frame(is_text: bool, payload: bytes, key: bytes = b"") -> bytes:
    """Return a whole message as one frame; `key`, for clients, is four unpredictable bytes to mask it with."""
    size = len(payload)
    if not key and size < 126:
        return (_SHORT_TEXT if is_text else _SHORT_BINARY)[size] + payload
    first, second = _TEXT if is_text else _BINARY, _MASKED if key else 0
    if size < 126:
        head = (first << 8 | second | size).to_bytes(2)
    elif size < 65536:
        head = (first << 24 | (second | 126) << 16 | size).to_bytes(4)
    else:
        head = (first << 72 | (second | 127) << 64 | size).to_bytes(10)
    return head + key + mask(payload, key) if key else head + payload


_keys: list[bytes] = []
os.register_at_fork(after_in_child=_keys.clear)


def mask_key() -> bytes:
    """Return four unpredictable bytes."""
    try:
        return _keys.pop()
    except IndexError:
        drawn = os.urandom(4 * 256)
        _keys.extend(drawn[at : at + 4] for at in range(4, len(drawn), 4))
        return drawn[:4]
