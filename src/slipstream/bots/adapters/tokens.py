"""Read the token of a request, and compare tokens in constant time."""

import hmac

from slipstream.bots.connections import HTTPConnection


def same_token(given: str | bytes | None, expected: str | bytes | None) -> bool:
    """Whether a peer's token is the expected one, compared in constant time; False if either is None or empty."""
    if not given or not expected:
        return False
    return hmac.compare_digest(_bytes(given), _bytes(expected))


def bearer_token(request: HTTPConnection) -> str | None:
    """Return the token of the header `Authorization: Bearer ...` (or `Token ...`), or None."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "token") and token.strip() else None


def _bytes(token: str | bytes) -> bytes:
    return token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
