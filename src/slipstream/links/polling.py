"""HTTP servers that we ask again and again: the request, the answer, the cursor."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.cookiejar import CookieJar
from socket import gaierror
from typing import Any

import httpx2
from starlette.datastructures import Headers

from slipstream.links.answers import Answer as Answer, Reading as Reading
from slipstream.links.connection import Connection, Data
from slipstream.links.cookies import Sendable
from slipstream.links.counters import is_power_of_two
from slipstream.links.errors import CannotSend, WrongSetup, ends_task
from slipstream.links.handlers import parsed
from slipstream.links.libraries import check, missing
from slipstream.links.link import Link, logger
from slipstream.links.queue import QueueFull
from slipstream.links.redact import printable, shown_url, unlogged, without_secrets
from slipstream.links.rules import (
    MOST_BODY,
    REDIRECTS,
    Failure,
    Schedule,
    Side,
    headers_for,
    origin,
    parse_retry_after,
    pause_after,
    redirected,
)
from slipstream.links.setup import LinkKind, PollingSetup
from slipstream.links.socks import Closing
from slipstream.links.supervise import asked, keep_up

PollingSource = PollingSetup | Callable[[], Awaitable[PollingSetup] | PollingSetup]
"""A setup, or what is asked for one at each request."""


class PollFailed(Exception):
    """A poll did not bring an answer that can be used; `failure` tells why, as data."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Poller:
    """A client for one server: connections are reused, cookies and validators kept if they are ASCII."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None
        self._made_for: tuple[Any, ...] = ()
        self._validators: dict[str, str] = {}
        self._validated_url = ""

    async def fetch(self, setup: PollingSetup, params: dict[str, Any] | None = None) -> Answer:
        """Ask once, following redirects without carrying secrets along.

        Args:
            setup: Whom to ask, and how.
            params: Query parameters beside those of the setup.

        Returns:
            An answer of status 2xx or 304.

        Raises:
            PollFailed: Whatever went wrong.
        """
        began = time.monotonic()
        try:
            url = httpx2.URL(setup.url).copy_merge_params({**setup.params, **(params or {})})
            client = await self._client_for(setup)
            with unlogged():
                async with asyncio.timeout(_whole(setup)):
                    return await self._follow(client, setup, str(url), began)
        except PollFailed:
            raise
        except Exception as error:
            raise PollFailed(_failure_of(error, setup)) from error

    async def _follow(self, client: httpx2.AsyncClient, setup: PollingSetup, url: str, began: float) -> Answer:
        first, method = url, setup.method.upper()
        for _ in range(setup.max_redirects + 1):
            request = self._request(client, setup, method, first, url)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                location = response.headers.get("location")
                if response.status_code not in REDIRECTS or location is None:
                    return await self._answer(response, setup, first, began)
            finally:
                await response.aclose()
            target = redirected(url, location)
            if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
                method = "GET"
            has_body = method == setup.method.upper() and (setup.content is not None or setup.json is not None)
            if target is None or (has_body and origin(target) != origin(first)):
                text = f"refused to follow a redirect from {shown_url(url)} to {shown_url(location)}"
                raise PollFailed(Failure("redirect", text, response.status_code))
            url = target
        raise PollFailed(Failure("redirect", f"more than {setup.max_redirects} redirects"))

    def _request(
        self, client: httpx2.AsyncClient, setup: PollingSetup, method: str, first: str, url: str
    ) -> httpx2.Request:
        headers = headers_for(setup.headers, first, url)
        is_home = origin(first) == origin(url)
        if is_home and setup.conditional and self._validated_url == first:
            headers |= self._validators
        body: dict[str, Any] = {}
        if method == setup.method.upper():
            body = {"content": setup.content} if setup.json is None else {"json": setup.json}
        request = client.build_request(method, url, headers=headers, extensions={"trace": Closing()}, **body)
        if is_home and setup.cookies:
            own = "; ".join(f"{name}={value}" for name, value in setup.cookies.items())
            request.headers["cookie"] = "; ".join(filter(None, (request.headers.get("cookie"), own)))
        return request

    async def _answer(self, response: httpx2.Response, setup: PollingSetup, first: str, began: float) -> Answer:
        status = response.status_code
        if not (200 <= status < 300 or status == 304):
            wait = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
            headers, body = _headers_of(response.headers), await _beginning(response)
            text = f"the server answered {status}"
            raise PollFailed(Failure("status", text, status, None, wait, headers=headers, body=body))
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > setup.max_message:
                raise PollFailed(Failure("protocol", f"an answer of more than {setup.max_message} bytes", status))
        if status != 304:
            tags = (("if-none-match", "etag"), ("if-modified-since", "last-modified"))
            told = ((ask, response.headers.get(tell, "")) for ask, tell in tags)
            self._validators = {ask: value for ask, value in told if value and value.isascii()}
            self._validated_url = first
        try:
            data = parsed(bytes(content)) if content else None
        except ValueError:
            data = None
        took = time.monotonic() - began
        return Answer(status, response.headers, bytes(content), took, str(response.url), data)

    def forget_validators(self) -> None:
        """Ask for a whole answer the next time."""
        self._validators = {}

    async def _client_for(self, setup: PollingSetup) -> httpx2.AsyncClient:
        made_for = (setup.tls, setup.proxy, setup.trust_env, setup.http2, setup.timeouts, setup.transport)
        if self._client is None or self._made_for != made_for:
            check(setup)
            await self.aclose()
            limits = setup.timeouts
            timeout = httpx2.Timeout(limits.read, connect=limits.connect, write=limits.write, pool=limits.connect)
            self._client = httpx2.AsyncClient(
                verify=setup.tls.build(),
                proxy=setup.proxy if setup.transport is None else None,
                trust_env=setup.trust_env,
                http2=setup.http2,
                timeout=timeout,
                cookies=CookieJar(Sendable()),
                transport=setup.transport() if setup.transport is not None else None,
            )
            self._made_for = made_for
        return self._client

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _headers_of(headers: httpx2.Headers) -> Headers:
    return Headers(raw=[(name.lower(), text) for name, text in headers.raw])


async def _beginning(response: httpx2.Response) -> bytes:
    """Read the body of a refusal as far as it comes within a second, at most `MOST_BODY`; a failure here is none."""
    content = bytearray()
    try:
        async with asyncio.timeout(1):
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) >= MOST_BODY:
                    break
    except (TimeoutError, httpx2.HTTPError):
        pass
    return bytes(content[:MOST_BODY])


def _whole(setup: PollingSetup) -> float | None:
    """Bound a request as a whole: a peer that drips a byte at a time must not hold it for ever."""
    limits = setup.timeouts
    return None if limits.read is None else 2 * limits.read + (limits.connect or 0.0)


def _failure_of(error: Exception, setup: PollingSetup) -> Failure:
    """Tell as data why a request failed."""
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return Failure("timeout", f"no answer in time ({type(error).__name__})")
    if isinstance(error, ImportError):
        return missing(error, "socksio")
    if isinstance(error, WrongSetup):
        return Failure("setup", printable(str(error)), side="us")
    text = without_secrets(str(error) or type(error).__name__, setup.secrets())
    if _is_caused_by(error, ssl.SSLError) or "CERTIFICATE" in text:
        return Failure("tls", f"TLS failed: {text}", side="tls")
    if isinstance(error, httpx2.ProxyError):
        return Failure("refused", f"no way through the proxy: {text}", side="proxy")
    if isinstance(error, httpx2.ConnectError | OSError):
        side: Side = "proxy" if setup.proxy else "name" if _is_caused_by(error, gaierror) else "peer"
        return Failure("refused", f"cannot connect: {text}", side=side)
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return Failure("setup", f"{shown_url(setup.url)} is no address", is_final=True, side="us")
    if isinstance(error, httpx2.TransportError | httpx2.DecodingError):
        return Failure("protocol", f"no usable answer: {text}")
    return Failure("error", f"{type(error).__name__}: {text}", side="us")


def _is_caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None


class _NoTransport:
    """The other end of answers: nothing can be sent to it."""

    def __init__(self, link: str) -> None:
        self._link = link

    @property
    def is_open(self) -> bool:
        """Never."""
        return False

    async def send(self, data: Data) -> None:
        """Refuse."""
        raise CannotSend(self._link, "polling")

    async def close(self, failure: Failure) -> None:
        """Do nothing."""

    end = close


@dataclass(slots=True)
class _Batch:
    """The events of one answer, and the cursor that follows them."""

    outcomes: list["asyncio.Future[Any]"] = field(default_factory=list)
    cursor: Any = None

    @property
    def is_done(self) -> bool:
        return all(outcome.done() for outcome in self.outcomes)


class PollingRunner:
    """Asks, hands on, moves the cursor, asks again.

    Args:
        source: Whom to ask; asked for it at each request if it is callable.
        reading: How answers are read.
    """

    kind: LinkKind = "polling"
    knows_peers = True

    def __init__(self, source: PollingSource, reading: Reading) -> None:
        self._source, self._reading = source, reading
        self.target = shown_url(source.url) if isinstance(source, PollingSetup) else "asked at each request"
        self._poller = Poller()
        self._batches: deque[_Batch] = deque()

    async def run(self, link: Link) -> None:
        """Keep asking until the link is told to stop."""
        self._batches.clear()
        await keep_up(link, partial(self._attempt, link))

    def drain(self, link: Link) -> None:
        """Ask no more; the loop is cancelled, and an answer under way comes again from the same cursor."""

    async def close(self, link: Link) -> None:
        """Move the cursor past what has been handled, and close the client."""
        self._commit(link)
        await self._poller.aclose()

    async def _attempt(self, link: Link, schedule: Schedule) -> Failure:
        """Ask until something goes wrong; an attempt is as long as the link stays up."""
        first = True
        while True:
            if not first:
                link.counters.attempts += 1
            first = False
            setup = await asked(self._source, PollingSetup, link)
            if isinstance(setup, Failure):
                return setup
            self.target = shown_url(setup.url)
            schedule.adopt(setup.backoff)
            params = {}
            if self._reading.cursor_param is not None and link.cursor is not None:
                params[self._reading.cursor_param] = link.cursor
            try:
                answer = await self._poller.fetch(setup, params)
            except PollFailed as failed:
                return failed.failure
            link.come_up(f"{self.target} answers")
            try:
                count = await self._hand_on(link, answer)
            except QueueFull:
                self._poller.forget_validators()
                return Failure("closed", "our queue is full", side="us")
            await self._wait_for_handlers(link)
            pause = pause_after(
                had_events=count > 0, took=answer.took, interval=setup.interval, is_long_poll=setup.long_poll
            )
            await (link.clock.sleep(pause) if pause > 0 else asyncio.sleep(0))

    async def _hand_on(self, link: Link, answer: Answer) -> int:
        """Put the events of an answer into the queue; tell how many of them are events, and new."""
        if answer.status in (204, 304):
            return 0
        try:
            events = self._reading.events_in(answer)
            cursor = self._reading.cursor_in(answer)
        except BaseException as error:  # of a function that the user wrote, perhaps
            if ends_task(error):
                raise
            link.counters.received += 1
            link.counters.invalid += 1
            logger.warning("link %s: skipped an answer that cannot be read: %s", link.name, type(error).__name__)
            return 0
        if missing := self._reading.missing_in(answer):
            link.counters.incomplete += 1
            if is_power_of_two(link.counters.incomplete):
                logger.warning(
                    "link %s: an answer has no field %s (%d such answers so far)",
                    link.name,
                    " and no field ".join(map(repr, missing)),
                    link.counters.incomplete,
                )
        session = link.session()
        connection = Connection(
            session, _NoTransport(link.name), name=link.new_id(), url=answer.url, headers=_headers_of(answer.headers)
        )
        batch = _Batch()
        self._batches.append(batch)
        for event in events:
            outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            if self._reading.events is None:
                is_queued = await session.deliver(connection, event, outcome)
            else:
                is_queued = await session.deliver_value(connection, event, outcome)
            if is_queued:
                batch.outcomes.append(outcome)
        # Only now, when all of them are in the queue: whatever interrupts the loop leaves the cursor where it was.
        batch.cursor = cursor
        self._commit(link)
        return len(batch.outcomes)

    async def _wait_for_handlers(self, link: Link) -> None:
        """Wait until at most `overlap` answers are in handling."""
        while len(self._batches) > self._reading.overlap:
            waiting = [outcome for outcome in self._batches[0].outcomes if not outcome.done()]
            if waiting:
                await asyncio.wait(waiting)
            self._commit(link)

    def _commit(self, link: Link) -> None:
        """Move the cursor past the answers whose events have all been handled."""
        while self._batches and self._batches[0].is_done:
            cursor = self._batches.popleft().cursor
            if cursor is not None and cursor != link.cursor:
                link.cursor = cursor
                if self._reading.on_cursor is not None:
                    link.run_hook(self._reading.on_cursor, cursor)
