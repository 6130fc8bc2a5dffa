"""What the head of a request says: target, host, framing and expectations. Pure functions of bytes."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

NOTED: Final = frozenset(
    {
        b"host", b"connection", b"content-length", b"transfer-encoding", b"expect", b"upgrade",
        b"x-forwarded-for", b"x-forwarded-proto", b"forwarded",
    }
)  # fmt: skip
"""Headers that the server itself reads."""

Noted = dict[bytes, bytes]
"""What came of `NOTED`; several lines of a name are joined by commas."""


class Refusal(Exception):
    """A request that cannot be served: the status, a sentence for whoever sent it, and headers of the answer."""

    def __init__(self, status: int, reason: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


INVALID: Final = "Invalid HTTP request received."
_HOST = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*(?::[0-9]*)?"  # a name or an IPv4 address
    rb"|\[[0-9A-Fa-fvV:.]+(?:%25[A-Za-z0-9._~-]+)?\](?::[0-9]*)?"
)
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)([^#]*)")


def check_host(host: bytes | None, version: str) -> None:
    """Raise a Refusal if a Host header is missing where it must not be, or is no host (RFC 9112, 3.2)."""
    if host is None:
        if version == "1.1":
            raise Refusal(400, "The request has no Host header.")
    elif _HOST.fullmatch(host.strip(b" \t")) is None:
        raise Refusal(400, "The Host header is not a host.")


class Target(NamedTuple):
    """A request's target, taken apart."""

    path: bytes
    query: bytes
    authority: bytes | None
    """Host and port of a target in absolute form, which count for more than the Host header (RFC 9112, 3.2.2)."""


def read_target(method: bytes, target: bytes) -> Target:
    """Take apart a target that is not the usual path and query.

    Raises:
        Refusal: It is of no form that a server serves.
    """
    if b"#" in target:
        raise Refusal(400, "The request's target has a fragment.")
    if method == b"CONNECT":
        raise Refusal(501, "This server is no proxy.")
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return Target(path, query, None)
    if target == b"*" and method == b"OPTIONS":
        return Target(target, b"", None)
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not absolute[1] or _HOST.fullmatch(absolute[1]) is None:
        raise Refusal(400, "The request's target is neither a path nor a URL.")
    path, _, query = absolute[2].partition(b"?")
    return Target(path or b"/", query, absolute[1])


CHUNKED: Final = -1
"""In place of a length: the body comes in chunks."""


def body_length(noted: Noted, version: str) -> int:
    """Return how many bytes of body follow, or CHUNKED; the parser has refused what is contradictory.

    Raises:
        Refusal: The coding is unknown, or one of HTTP/1.0, which has none (RFC 9112, 6.1).
    """
    coding = noted.get(b"transfer-encoding")
    if coding is None:
        return int(noted.get(b"content-length", b"0"))
    if version != "1.1":
        raise Refusal(400, "HTTP/1.0 has no Transfer-Encoding.")
    if coding.strip(b" \t").lower() != b"chunked":
        raise Refusal(501, "This server knows no Transfer-Encoding but chunked.")
    return CHUNKED


def expects_continue(noted: Noted, version: str) -> bool:
    """Whether the client waits for a 100 before it sends the body.

    Raises:
        Refusal: It expects something else.
    """
    expected = noted.get(b"expect")
    if expected is None or version != "1.1":
        return False
    if expected.strip(b" \t").lower() != b"100-continue":
        raise Refusal(417, "This server meets no expectation but 100-continue.")
    return True


def wants_websocket(noted: Noted) -> bool:
    """Whether a request asks for the protocol to be changed to WebSocket."""
    options = [option.strip(b" \t").lower() for option in noted.get(b"connection", b"").split(b",")]
    return b"upgrade" in options and noted.get(b"upgrade", b"").strip(b" \t").lower() == b"websocket"


def refusal_of(error: Exception, begun_with: bytes) -> Refusal:
    """Return what to answer to a request at which the parser has raised.

    Args:
        error: What it has raised; the Refusal of a callback is its context.
        begun_with: The bytes at which it has begun.
    """
    if isinstance(error.__context__, Refusal):
        return error.__context__
    match str(error):
        case "Invalid method encountered" if begun_with.lstrip(b"\r\n")[:1].isalpha():
            return Refusal(501, "This server does not know the method.")
        case "Invalid HTTP version" | "Pause on PRI/Upgrade":
            return Refusal(505, "This server speaks HTTP/1.0 and HTTP/1.1.")
        case _:
            return Refusal(400, INVALID)
