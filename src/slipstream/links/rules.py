"""When to try a lost connection again, and when to give up: rules without sockets, clocks and sleep."""

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

from starlette.datastructures import Headers

from slipstream.links.errors import WrongSetup
from slipstream.links.redact import printable

Random: TypeAlias = Callable[[], float]
"""Returns a number drawn evenly from [0, 1)."""

FailureKind: TypeAlias = (
    Literal["refused", "timeout", "tls", "status", "closed", "silent", "protocol", "setup", "login", "hook", "task"]
    | Literal["redirect", "error"]
)

Side: TypeAlias = Literal["us", "proxy", "name", "tls", "peer"]
"""Where an attempt or a connection ended.

- "us": in this program: a close, a hook, a full queue, a function in place of a setup.
- "proxy": at the proxy.
- "name": where the peer's name should be resolved.
- "tls": where the encryption should be agreed upon, or the certificate verified.
- "peer": at the peer, or on the way to it.
"""

MOST_BODY = 16 * 1024
"""Bytes that are kept of the body of a refusal."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a connection ended, as data.

    Args:
        kind: What ended it.
        text: One line for people; no secrets, no control characters.
        status: HTTP status, if the peer or the proxy answered with one.
        code: WebSocket close code, if the peer or we closed with one.
        retry_after: Seconds that the peer asks to wait, if it does.
        is_final: Whether trying again is known to be useless.
        side: Where it ended.
        reason: Close reason as it was sent; it may hold secrets, and is not in the repr.
        headers: Headers of a refusal; not in the repr.
        body: At most 16 KiB of the body of a refusal; not in the repr.
    """

    kind: FailureKind
    text: str
    status: int | None = None
    code: int | None = None
    retry_after: float | None = None
    is_final: bool = False
    side: Side = "peer"
    reason: str = field(default="", repr=False)
    headers: Headers = field(default_factory=Headers, repr=False, compare=False)
    body: bytes = field(default=b"", repr=False)


def closed(side: Side, code: int, reason: str = "") -> Failure:
    """Describe a close frame of ours ("us") or of the peer."""
    text = printable(f"{'we' if side == 'us' else 'the peer'} closed with {code} {reason}".rstrip())
    return Failure("closed", text, code=code, side=side, reason=reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long to wait between attempts.

    Args:
        first: Longest wait before the first new attempt, in seconds; more than 0. Default: 1.
        limit: Longest wait of all, in seconds; at least `first`. Default: 60.
        factor: Growth of the longest wait from one attempt to the next; at least 1. Default: 2.
        reset_after: After a connection of at least so many seconds the waits start at `first` again. Default: 60.
        retry_after_limit: Longest wait that a peer's `Retry-After` can ask for, in seconds. Default: 300.
    """

    first: float = 1.0
    limit: float = 60.0
    factor: float = 2.0
    reset_after: float = 60.0
    retry_after_limit: float = 300.0

    def __post_init__(self) -> None:
        least = {"first": 0.0, "limit": self.first, "factor": 1.0, "reset_after": 0.0, "retry_after_limit": 0.0}
        for name, bound in least.items():
            value = getattr(self, name)
            if not (isinstance(value, int | float) and value >= bound and (value > 0 or name != "first")):
                raise WrongSetup(name, value, "more than 0" if name == "first" else f"a number, {bound:g} or more")

    def bound(self, attempt: int) -> float:
        """Return the longest wait, in seconds, before an attempt; the first new attempt is number 0."""
        try:
            return min(self.limit, self.first * float(self.factor) ** attempt)
        except OverflowError:
            return self.limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Fatal:
    """After which failures a link gives up.

    Args:
        statuses: HTTP statuses after which it does, if `tries` attempts in a row end with one. Default: 401, 403, 404.
        tries: At least 1. Default: 3.
        close_codes: WebSocket close codes after which it does at once. Default: none.

    Raises:
        WrongSetup: `statuses` or `close_codes` is no collection of whole numbers, or `tries` is out of range.
    """

    statuses: Collection[int] = frozenset({401, 403, 404})
    tries: int = 3
    close_codes: Collection[int] = frozenset()

    def __post_init__(self) -> None:
        for name in ("statuses", "close_codes"):
            given = getattr(self, name)
            if not isinstance(given, Collection) or not all(isinstance(each, int) for each in given):
                raise WrongSetup(name, given, "a set of whole numbers, such as {4004}")
            object.__setattr__(self, name, frozenset(given))
        tries: Any = self.tries
        if not (isinstance(tries, int) and tries >= 1):
            raise WrongSetup("tries", tries, "a whole number, 1 or more")


def backoff(
    *, first: float = 1.0, limit: float = 60.0, factor: float = 2.0, random: Random
) -> Generator[float, None, None]:
    """Yield the seconds to wait before each new attempt, without end: drawn evenly from [0, bound).

    The bound grows by `factor` from `first` to `limit`, as `Backoff` says; `random` draws evenly from [0, 1). This is
    full jitter, as in Brooker, "Exponential Backoff and Jitter", AWS, 2015.
    """
    rule = Backoff(first=first, limit=limit, factor=factor)
    for attempt in count():
        yield random() * rule.bound(attempt)


class Schedule:
    """Decides what follows each end of a connection; `random` draws the waits, by a rule that may change meanwhile."""

    def __init__(self, waits: Backoff, fatal: Fatal, random: Random) -> None:
        self.waits = waits
        self._fatal, self._random = fatal, random
        self.reset()

    def reset(self) -> None:
        """Forget the failures so far, as after a stable connection."""
        self._refusals = self._attempts = 0

    def after(self, failure: Failure, up_for: float | None) -> float | str:
        """Return the seconds to wait after an end for the next attempt, or, as text, why there shall be none.

        A wait is what the peer asked for, at most `Backoff.retry_after_limit`, and a draw from [0, `Backoff.limit`):
        clients that were all given one moment shall not come back in it together. `up_for` is how many seconds the
        link had been up; None if it had not come up.
        """
        if up_for is not None:
            self._refusals = 0
            if up_for >= self.waits.reset_after:
                self.reset()
        if failure.is_final or failure.code in self._fatal.close_codes:
            return failure.text
        if failure.side == "peer" and failure.status in self._fatal.statuses:
            self._refusals += 1
            if self._refusals >= self._fatal.tries:
                times = f"{self._refusals} times in a row" if self._refusals > 1 else "once"
                return f"{failure.text}, {times}"
        else:
            self._refusals = 0
        asked = min(failure.retry_after or 0.0, self.waits.retry_after_limit)
        wait = self._random() * self.waits.bound(self._attempts)
        self._attempts += 1
        return asked + wait


class TokenBucket:
    """Allows something `burst` times at once after a rest, at least 1, and `rate` times a second on average."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a token at `now` (seconds; never less than before); return 0, or else the seconds until there is one."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1 - 1e-6:  # a clock that is asked just when the wait is over may be a rounding short of it
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0


class Turnstile:
    """Keeps links from all dialling at one moment: at most half of them within `window` seconds."""

    def __init__(self, window: float = 0.1) -> None:
        self._window = window
        self._last: float | None = None

    def admit(self, now: float, links: int) -> float:
        """Book the next free moment for one of so many links; return the seconds from `now` until then."""
        # A quarter more than half of the links need: the way from here to the peer does not always take as long.
        step = 1.25 * self._window / max(1, links // 2)
        moment = now if self._last is None else max(now, self._last + step)
        self._last = moment
        return moment - now


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header, seconds or a date, as seconds from `now`, 0 or more; None if it is unreadable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) < 16 else 1e15
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def pause_after(*, had_events: bool, took: float, interval: float, is_long_poll: bool) -> float:
    """Return the seconds to wait between an answer, which took `took` seconds to come, and the next request.

    A long poll asks again at once if the peer has held the request or had events. A peer that answers "nothing" at once
    does not hold requests, and is asked at the interval.
    """
    if is_long_poll and (had_events or took >= min(1.0, interval)):
        return 0.0
    return interval


def origin(url: str) -> tuple[str, str, int]:
    """Return what URLs of one peer share: scheme (`http` for `ws`), host and port; raise `ValueError` for no port."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def redirected(url: str, location: str) -> str | None:
    """Return where a redirect from a URL leads, as `ws` or `http` like the URL; None if it must not be followed."""
    parts = urlsplit(url)
    target = urlsplit(urljoin(_as_http(url), _as_http(location)))
    if target.scheme not in ("http", "https") or not target.hostname:
        return None
    if parts.scheme in ("https", "wss") and target.scheme == "http":
        return None
    scheme = target.scheme.replace("http", "ws", 1) if parts.scheme in ("ws", "wss") else target.scheme
    return target._replace(scheme=scheme, fragment="").geturl()


def _as_http(url: str) -> str:
    return "http" + url[2:] if url.startswith(("ws:", "wss:")) else url


def headers_for(headers: Mapping[str, str], first: str, now: str) -> dict[str, str]:
    """Return the headers that may go along with a redirect: to another peer only those that hold no secret."""
    if origin(first) == origin(now):
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
