"""The bytes of a response: head, chunks, and where it ends. Pure functions."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple

Headers = Sequence[tuple[bytes, bytes]]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
CLOSE: Final = b"connection: close\r\n"
KEEP: Final = b"connection: keep-alive\r\n"
FRAMING: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})
"""Headers that say where a response ends, and whether another follows."""
RETRY: Final = ((b"retry-after", b"1"),)
"""What a 503 of the server says beside its status."""

_NO_NAME = re.compile(rb'[\x00-\x20\x7f-\xff()<>@,;:\\"/\[\]?={}]')
_NO_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def _status_line(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINE: Final = {status: _status_line(status) for status in range(200, 600)}


class Head(NamedTuple):
    """The head of a response, and what follows from it."""

    written: bytes
    is_chunked: bool
    length: int | None
    """Bytes of content that have to follow; None if chunks say where it ends, or the end of the connection."""
    keeps_alive: bool


def has_content(method: str, status: int) -> bool:
    """Whether a response to a method, with a status, has content (RFC 9110, 6.4.1)."""
    return method != "HEAD" and status not in (204, 304)


def head(
    status: int, headers: Iterable[tuple[bytes, bytes]], usual: Headers, *, method: str, version: str, keep_alive: bool
) -> Head:
    """Write the head of a response as an application describes it.

    Raises:
        RuntimeError: The status is no final one, or a header cannot be written.
    """
    if status not in STATUS_LINE:
        raise RuntimeError(f"Status {status} is none of a final response, 200 to 599.")
    parts = [STATUS_LINE[status]]
    length: int | None = None
    is_chunked = is_said = False
    for name, value in (*usual, *headers):
        name = _checked(name, value)
        if name == b"content-length":
            if status == 204 or (length is not None and length != int(value)):
                continue  # a 204 has none (RFC 9110, 8.6)
            length = int(value)
        elif name == b"transfer-encoding":
            is_chunked = is_chunked or value.lower() == b"chunked"
            continue
        elif name == b"connection" and b"close" in [option.strip().lower() for option in value.split(b",")]:
            keep_alive, is_said = False, True
        parts += (name, b": ", value, b"\r\n")
    if is_chunked and length is not None:
        raise RuntimeError("Both Content-Length and Transfer-Encoding in a response.")
    if not has_content(method, status):
        is_chunked, length = False, 0
    elif length is None:
        is_chunked = version == "1.1"
        keep_alive = keep_alive and is_chunked
        if is_chunked:
            parts.append(b"transfer-encoding: chunked\r\n")
    if not keep_alive and not is_said:
        parts.append(CLOSE)
    elif keep_alive and version == "1.0":
        parts.append(KEEP)
    parts.append(b"\r\n")
    return Head(b"".join(parts), is_chunked, length, keep_alive)


def complete(status: int, headers: Headers, length: int) -> bytes | None:
    """Write all headers of a whole response; None unless they are valid and `head` would write just these.

    So they have the content-length, and no other of `FRAMING`; a response without content need not have it.
    """
    if status not in STATUS_LINE:
        return None
    is_sized = False
    lines: list[bytes] = []
    for name, value in headers:
        lower = _lower(name)
        if lower is None or (not value.decode("latin-1").isprintable() and _NO_VALUE.search(value)):
            return None
        if lower in FRAMING:
            if is_sized or lower != b"content-length" or value != b"%d" % length or status == 204:
                return None
            is_sized = True
        lines += (lower, b": ", value, b"\r\n")
    if status in (204, 304):
        return None if length else b"".join(lines)
    return b"".join(lines) if is_sized else None


@lru_cache(maxsize=256)
def _lower(name: bytes) -> bytes | None:
    return None if not name or _NO_NAME.search(name) else name.lower()


def _checked(name: bytes, value: bytes) -> bytes:
    """Return the name of a header in lower case; raise RuntimeError if the header cannot be written."""
    lower = _lower(name)
    if lower is None:
        raise RuntimeError("Invalid HTTP header name.")
    if _NO_VALUE.search(value):
        raise RuntimeError("Invalid HTTP header value.")
    return lower


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Write headers as they are.

    Raises:
        RuntimeError: One cannot be written.
    """
    for pair in headers:
        _checked(*pair)
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


def chunk(content: bytes, *, is_last: bool) -> bytes:
    """Write a piece of content as a chunk, and the end of the content after the last one."""
    written = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    return written + LAST_CHUNK if is_last else written


def short_answer(status: int, usual: Headers, reason: str, more: Headers = ()) -> bytes:
    """Write a whole response of the server's own, after which it closes."""
    if status == 503:
        more = (*more, *RETRY)
    said = (*usual, (b"content-type", b"text/plain; charset=utf-8"), *more)
    lines = b"".join(b"%b: %b\r\n" % pair for pair in said if pair[0] not in FRAMING)
    length = b"content-length: %d\r\n" % len(reason)
    return STATUS_LINE[status] + lines + length + CLOSE + b"\r\n" + reason.encode("ascii")
