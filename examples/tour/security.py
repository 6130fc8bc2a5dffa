"""Passwords and tokens. Knows no HTTP."""

from datetime import timedelta

import jwt
from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash

from tour.models import now

ALGORITHM = "HS256"

_hasher = PasswordHash.recommended()
_hashing = CapacityLimiter(4)
"""Argon2 takes 64 MiB and some 50 ms on purpose: in threads, and only a few at once."""

_NOBODYS_HASH = _hasher.hash("no account has this password")


async def hash_password(password: str) -> str:
    return await to_thread.run_sync(_hasher.hash, password, limiter=_hashing)


async def verify_password(password: str, password_hash: str | None) -> bool:
    """Check a password; without a hash (no such user) take the same time and say no."""
    matches = await to_thread.run_sync(_hasher.verify, password, password_hash or _NOBODYS_HASH, limiter=_hashing)
    return matches and password_hash is not None


def create_token(user_id: int, key: str, lifetime: timedelta) -> str:
    issued = now()
    claims = {"sub": str(user_id), "iat": issued, "exp": issued + lifetime}
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read_token(token: str, key: str) -> int | None:
    """Return the user id, or None if the token is not one of ours or no longer valid."""
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["sub", "iat", "exp"]})
        return int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        return None
