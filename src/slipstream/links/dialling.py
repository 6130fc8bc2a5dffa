"""What WebSockets that we dial and servers that we poll have in common: the setup of an attempt, and why it failed."""

import asyncio
import inspect
import logging
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from socket import gaierror
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from slipstream.exceptions import SlipstreamError
from slipstream.links.errors import MissingLibrary, WrongSetup, ends_task
from slipstream.links.link import Link
from slipstream.links.redact import printable, shown_url, without_secrets
from slipstream.links.rules import MOST_BODY, Failure, FailureKind, Schedule, Side, parse_retry_after
from slipstream.links.setup import Setup
from slipstream.links.supervise import keep_up

logger = logging.getLogger("slipstream.links")

S = TypeVar("S", bound=Setup)

Meaning = tuple[type[Exception], FailureKind, Side, str]
"""An error, or what has caused one; the kind and the side of the failure that it means; and what to say."""

CAUSES: Sequence[Meaning] = (
    (ssl.SSLError, "tls", "tls", "TLS failed: {text}"),
    (gaierror, "refused", "name", "the name {host} cannot be resolved: {text}"),
)


class Dialler(Generic[S]):
    """The runner of a link that dials.

    Args:
        source: Whom to dial; called at each attempt if it is a function, async or not.
        kind: The class of the setup.
    """

    knows_peers = True

    def __init__(self, source: "S | Callable[[], Awaitable[S] | S]", kind: type[S]) -> None:
        self._source, self._kind = source, kind
        self.target = shown_url(source.url) if isinstance(source, kind) else "asked at each attempt"

    async def run(self, link: Link) -> None:
        """Keep the link up until it is stopped."""
        await keep_up(link, partial(self.attempt, link))

    def attempt(self, link: Link, schedule: Schedule) -> Coroutine[Any, Any, Failure]:
        """Make one attempt; see `keep_up`."""
        raise NotImplementedError

    def drain(self, link: Link) -> None:
        """Do nothing: replies to calls still come, and an answer to a poll comes again from the same cursor."""

    async def setup_for(self, link: Link, schedule: Schedule) -> S | Failure:
        """Return the setup of an attempt, or why there is none."""
        source, limit = self._source, link.options.setup_timeout
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
                logger.exception("link %s: the function that is asked for a setup failed", link.name)
                reason = type(error).__name__
        else:
            if isinstance(setup, self._kind):
                self.target = shown_url(setup.url)
                schedule.adopt(setup.backoff)
                return setup
            reason = f"the function gave {type(setup).__name__}, expected {self._kind.__name__}"
        return Failure("setup", f"the setup could not be made: {reason}", side="us")


def failure_of(error: Exception, setup: Setup, socks: str, meanings: Sequence[Meaning]) -> Failure:
    """Return why an attempt failed.

    Args:
        error: What was raised.
        setup: The setup of the attempt.
        socks: Package that the library which dials needs for SOCKS proxies.
        meanings: What its errors mean; the first that fits counts.
    """
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
    kind: FailureKind, text: str, status: int, headers: Headers, body: bytes = b"", side: Side = "peer"
) -> Failure:
    """Describe an answer that refuses what we asked for."""
    wait = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    return Failure(kind, text, status, None, wait, side=side, headers=headers, body=body[:MOST_BODY])


def _is_caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None
