"""What may be shown of addresses, headers and words of a peer: no tokens, no control characters."""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

HIDDEN = "[hidden]"
_TOKEN = re.compile(r"(?=[^/]*\d)[A-Za-z0-9_\-.:~%+=]{20,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_is_ours: ContextVar[bool] = ContextVar("_is_ours", default=False)


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep the HTTP client from logging a request of ours: it shows whole addresses, and logins of proxies."""
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


for _name in ("httpx2", *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
    logging.getLogger(_name).addFilter(lambda record: not _is_ours.get())


def shown_url(url: str) -> str:
    """Write an address without user, password, query values, and parts of its path that look like tokens."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    path = "/".join(HIDDEN if _TOKEN.fullmatch(part) else part for part in parts.path.split("/"))
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    query = "&".join(f"{name}={HIDDEN}" for name in names)
    return printable(SplitResult(parts.scheme, host + port, path, query, "").geturl(), 300)


def printable(text: str, most: int = 200) -> str:
    """Write a text of unknown origin on one line, cut to `most` characters, its control characters escaped."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def described(error: BaseException) -> str:
    """Write an error on one line; only its class if it has no text."""
    try:
        text = str(error)
    except Exception:  # of a class that the program wrote
        text = ""
    return printable(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Write a text with each of the secrets hidden, and printable."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, HIDDEN)
    return printable(text)


def secrets_in(url: str) -> list[str]:
    """List what may be secret in an address: user, password, values of the query, parts of the path like tokens."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    found = [value for _, value in parse_qsl(parts.query)]
    found += [part for part in parts.path.split("/") if _TOKEN.fullmatch(part)]
    login = [each for each in (parts.username, parts.password) if each]
    return [*found, *login, *map(unquote, login)]
