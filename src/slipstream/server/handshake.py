"""The opening handshake of a WebSocket (RFC 6455, section 4.2), and what is agreed on compression. Pure functions."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha1
from typing import Final, NamedTuple

from slipstream._sockets.deflate import Terms
from slipstream.server.framing import Headers, header_lines
from slipstream.server.head import Refusal

_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = ((b"upgrade", b"websocket"), (b"sec-websocket-version", b"13"))
_BITS: Final = 12
"""Of the window, both ways: 4 KiB. uvicorn asks for the same."""
_FEWEST_BITS, _MOST_BITS = 8, 15


class Opening(NamedTuple):
    """What a client says in its handshake."""

    key: bytes
    subprotocols: list[str]
    extensions: bytes
    """What it offers; several lines are joined by commas."""


def read_opening(headers: Headers, origins: Sequence[str]) -> Opening:
    """Read the headers of a handshake.

    Args:
        headers: Of the request; names in lower case.
        origins: From which pages a handshake may come; none: from any. One without an Origin comes from no page.

    Raises:
        Refusal: It is none of RFC 6455 (400), of another version (426), or comes from another page (403).
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name.startswith(b"sec-websocket-") or name == b"origin":
            if name in found and name in _ONCE:
                raise Refusal(400, f"The handshake has two {name.decode('latin-1')} headers.")
            found[name] = found[name] + b"," + value if name in found else value
    version = found.get(b"sec-websocket-version", b"").strip(b" \t")
    if version != b"13":
        raise Refusal(426 if version else 400, "This server speaks version 13 of the WebSocket protocol.", _VERSION)
    key = found.get(b"sec-websocket-key", b"").strip(b" \t")
    if not _is_key(key):
        raise Refusal(400, "The handshake's Sec-WebSocket-Key is not 16 bytes in base64.")
    origin = found.get(b"origin")
    if origins and origin is not None and origin.decode("latin-1") not in origins:
        raise Refusal(403, "Origin not allowed.")
    offered = found.get(b"sec-websocket-protocol", b"").decode("latin-1").split(",")
    return Opening(key, [each.strip() for each in offered if each.strip()], found.get(b"sec-websocket-extensions", b""))


_ONCE: Final = frozenset({b"sec-websocket-key", b"sec-websocket-version", b"origin"})


def _is_key(key: bytes) -> bool:
    try:
        return len(b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def acceptance(key: bytes, subprotocol: str | None, extension: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write the response that accepts a handshake.

    Raises:
        RuntimeError: A header cannot be written.
    """
    said = [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", b64encode(sha1(key + _MAGIC, usedforsecurity=False).digest())),
    ]
    if subprotocol:
        said.append((b"Sec-WebSocket-Protocol", subprotocol.encode("latin-1")))
    if extension:
        said.append((b"Sec-WebSocket-Extensions", extension.encode("ascii")))
    return b"HTTP/1.1 101 Switching Protocols\r\n%b\r\n" % header_lines([*said, *headers])


def agree(offers: bytes) -> tuple[Terms, str] | None:
    """Return terms of compression to use, and the extension to say so (RFC 7692, section 7.1).

    Returns None if the client has offered nothing of which this server is capable.
    """
    for offer in offers.decode("latin-1").split(","):
        name, *listed = [part.strip() for part in offer.split(";")]
        if name == "permessage-deflate" and (agreed := _terms(listed)) is not None:
            return agreed
    return None


def _terms(listed: list[str]) -> tuple[Terms, str] | None:
    """Return terms that fit one offer, whose parameters are listed."""
    asked: dict[str, str] = {}
    for each in listed:
        name, _, value = (part.strip() for part in each.partition("="))
        if name in asked or name not in _PARAMETERS:
            return None
        asked[name] = value.strip('"')
    forgets = "server_no_context_takeover" in asked, "client_no_context_takeover" in asked
    if any(asked[name] for name in _PARAMETERS[:2] if name in asked):
        return None
    ours = _bits(asked.get("server_max_window_bits", str(_BITS)))
    theirs = _bits(asked.get("client_max_window_bits", str(_MOST_BITS)) or str(_BITS))
    if ours is None or theirs is None or ours == _FEWEST_BITS:  # zlib cannot write such a window
        return None
    ours, theirs = min(ours, _BITS), min(theirs, _BITS) if "client_max_window_bits" in asked else theirs
    said = ["permessage-deflate", *(name for name, value in zip(_PARAMETERS, forgets, strict=False) if value)]
    said.append(f"server_max_window_bits={ours}")
    if "client_max_window_bits" in asked:
        said.append(f"client_max_window_bits={theirs}")
    return Terms(*forgets, ours, theirs), "; ".join(said)


_PARAMETERS: Final = (
    "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits",
)  # fmt: skip


def _bits(value: str) -> int | None:
    is_number = value.isascii() and value.isdecimal() and not value.startswith("0")
    return int(value) if is_number and _FEWEST_BITS <= int(value[:3]) <= _MOST_BITS else None
