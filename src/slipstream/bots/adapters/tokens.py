"""Tokens: where peers put them, and how to compare them without telling by the time how much was right."""

import hmac

from slipstream.bots.connections import HTTPConnection


def same_token(given: str | bytes | None, expected: str | bytes | None) -> bool:
    """Whether a token is the expected one, compared in constant time.

    Args:
        given: What the peer sent.
        expected: What it has to be; None or empty: nothing is, for a token that is not set admits nobody.
    """
    if not given or not expected:
        return False
    return hmac.compare_digest(_bytes(given), _bytes(expected))


def bearer_token(request: HTTPConnection) -> str | None:
    """Read the token of `Authorization: Bearer ...` (or `Token ...`); None if there is none."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "token") and token.strip() else None


def _bytes(token: str | bytes) -> bytes:
    return token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
