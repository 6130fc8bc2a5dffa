"""What WebSockets that we dial and servers that we poll have in common: the setup of an attempt, and why it failed."""

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from socket import gaierror
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from slipstream.exceptions import SlipstreamError
from slipstream.links.errors import LinkDown, MissingLibrary, WrongSetup, ends_task, logger
from slipstream.links.link import Link
from slipstream.links.redact import described, printable, shown_url, without_secrets
from slipstream.links.rules import (
    MOST_BODY,
    REDIRECTS,
    Failure,
    FailureKind,
    Schedule,
    Side,
    origin,
    parse_retry_after,
    redirected,
)
from slipstream.links.setup import LinkOptions, Setup, check
from slipstream.links.state import LinkState
from slipstream.links.supervise import Home

S = TypeVar("S", bound=Setup)

Meaning = tuple[type[Exception] | tuple[type[Exception], ...], FailureKind, Side, str]
"""Errors, or what has caused them; the kind and the side of the failure that they mean; and what to say."""

CAUSES: Sequence[Meaning] = (
    (ssl.SSLError, "tls", "tls", "TLS failed: {text}"),
    (gaierror, "refused", "name", "the name {host} cannot be resolved: {text}"),
)


class DialFailed(LinkDown):
    """There is no connection, or no usable answer; `failure` is the reason, as data."""

    text = "{reason}"

    def __init__(self, failure: Failure) -> None:
        super().__init__("", failure.text, failure.code)
        self.failure = failure


class DialledLink(Link, Generic[S]):
    """Keeps a link up; `source` is an address, a setup, or a function that returns a setup for each attempt."""

    dials = True
    setup_type: type[S]

    def __init__(self, home: Home, options: LinkOptions, source: "str | S | Callable[[], Awaitable[S] | S]") -> None:
        super().__init__(home, options)
        kind, self.target = self.setup_type, "asked at each attempt"
        self._source = source = kind(source) if isinstance(source, str) else source
        if isinstance(source, kind):
            check(source)
            self.target = shown_url(source.url)
        elif not callable(source):
            expected = f"an address, a {kind.__name__}, or a function that makes one"
            raise WrongSetup("setup", type(source).__name__, expected)

    async def run(self) -> None:
        """Attempt, wait, attempt again, until the link is stopped; `restart` ends an attempt or a wait."""
        home, clock = self.home, self.clock
        schedule = Schedule(self.options.backoff, self.options.fatal, home.random)
        while True:
            self.revival.clear()
            self.move(LinkState.CONNECTING, f"attempt {self.status.attempt + 1}")
            self.counters.attempts += 1
            try:
                failure = await self.revival.over(self.attempt(schedule))
            except DialFailed as failed:
                failure = failed.failure
            except BaseException as error:
                if ends_task(error):
                    raise
                logger.exception("link %s: an attempt failed in a way nobody foresaw", self.name)
                failure = Failure("error", described(error), side="us")
            if self.is_stopping:
                break
            if failure is None:  # restarted
                schedule.reset()
                continue
            up_for = clock.now().monotonic - self.status.since.monotonic if self.state is LinkState.UP else None
            verdict = schedule.after(failure, up_for)
            if isinstance(verdict, str):
                self.move(LinkState.FAILED, verdict, failure)
                await self.revival.wait()
                schedule.reset()
                continue
            self.move(LinkState.BACKING_OFF, failure.text, failure, verdict)
            await self._rest(verdict)
            if home.dialling > 1 and not self.revival.is_set:
                await self._rest(home.turnstile.admit(clock.now().monotonic, home.dialling))

    async def _rest(self, seconds: float) -> None:
        """Wait, or less if the link is restarted."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self.revival.over(self.clock.sleep(seconds))

    def attempt(self, schedule: Schedule) -> Coroutine[Any, Any, Failure]:
        """Connect, bring the link up, and return why the connection has ended; `DialFailed` if there was none."""
        raise NotImplementedError

    async def setup_for(self, schedule: Schedule) -> S:
        """Return the setup of an attempt; raise `DialFailed` if there is none."""
        source, limit = self._source, self.options.setup_timeout
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                setup = source() if callable(source) else source
                setup = await setup if inspect.isawaitable(setup) else setup
        except SlipstreamError as error:
            reason = printable(str(error).partition("\n")[0])
        except BaseException as error:
            if ends_task(error):
                raise
            if deadline.expired():
                reason = f"the function gave none within {limit:g} seconds"
            else:
                logger.exception("link %s: the function that is asked for a setup failed", self.name)
                reason = type(error).__name__
        else:
            if isinstance(setup, self.setup_type):
                self.target = shown_url(setup.url)
                schedule.waits = setup.backoff or self.options.backoff
                return setup
            reason = f"the function gave {type(setup).__name__}, expected {self.setup_type.__name__}"
        raise DialFailed(Failure("setup", f"the setup could not be made: {reason}", side="us"))


def next_hop(
    url: str, status: int, headers: Mapping[str, str], body: bytes = b"", *, home: str | None = None
) -> str | None:
    """Return where an answer redirects to, None if it does not; `home` is the address whose peer it must not leave."""
    location = headers.get("location")
    if status not in REDIRECTS or location is None:
        return None
    target = redirected(url, location)
    if target is None or (home is not None and origin(target) != origin(home)):
        text = f"refused to follow a redirect from {shown_url(url)} to {shown_url(location)}"
        raise DialFailed(refusal("redirect", text, status, headers, body))
    return target


def failure_of(error: Exception, setup: Setup, socks: str, meanings: Sequence[Meaning]) -> Failure:
    """Return why an attempt failed, by the first meaning that fits; `socks` is the package for SOCKS proxies."""
    if isinstance(error, DialFailed):
        return error.failure
    if isinstance(error, ImportError):
        # What `check` missed; or else it is for a proxy of the environment.
        known = error if isinstance(error, MissingLibrary) else MissingLibrary(socks, "a SOCKS proxy", "socks")
        return Failure("setup", str(known), is_final=True, side="us")
    if isinstance(error, WrongSetup):
        return Failure("setup", printable(str(error)), side="us")
    fits = (each for each in meanings if _is_caused_by(error, each[0]))
    _, kind, side, says = next(fits, (Exception, "error", "us", "{name}: {text}"))
    text = str((side == "proxy" and error.__cause__) or error) or type(error).__name__
    if kind == "refused" and setup.proxy:  # which is then what we connect to
        side = "proxy"
    said = says.format(
        name=type(error).__name__,
        limit=setup.timeouts.connect,
        url=shown_url(setup.url),
        host=urlsplit(setup.proxy or setup.url).hostname,
        text=without_secrets(text, setup.secrets()),
    )
    return Failure(kind, said, is_final=kind == "setup", side=side)


def refusal(
    kind: FailureKind, text: str, status: int, headers: Mapping[str, str], body: bytes = b"", side: Side = "peer"
) -> Failure:
    """Describe an answer that refuses what we asked for."""
    wait = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    return Failure(kind, text, status, None, wait, side=side, headers=Headers(headers), body=body[:MOST_BODY])


def _is_caused_by(error: BaseException | None, kind: type[Exception] | tuple[type[Exception], ...]) -> bool:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None
