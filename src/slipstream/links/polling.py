"""HTTP servers that we ask again and again: the request, the answer, the cursor."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any

import httpx2
from starlette.datastructures import Headers

from slipstream.links.counters import is_power_of_two
from slipstream.links.dialling import (
    CAUSES,
    DialFailed as DialFailed,
    DialledLink,
    Meaning,
    failure_of,
    next_hop,
    refusal,
)
from slipstream.links.errors import ends_task, logger
from slipstream.links.handlers import MISSING, field_of, id_of, parsed
from slipstream.links.httpx_additions import Closing, Sendable
from slipstream.links.queue import QueueFull
from slipstream.links.redact import unlogged
from slipstream.links.rules import MOST_BODY, Failure, Schedule, headers_for, origin, pause_after
from slipstream.links.session import Connection, Outcome
from slipstream.links.setup import LinkOptions, PollingSetup, check
from slipstream.links.supervise import Home

_MEANINGS: Sequence[Meaning] = (
    ((TimeoutError, httpx2.TimeoutException), "timeout", "peer", "no answer in time ({name})"),
    ((httpx2.InvalidURL, httpx2.UnsupportedProtocol), "setup", "us", "{url} is no address"),
    (httpx2.ProxyError, "refused", "proxy", "no way through the proxy: {text}"),
    *CAUSES,
    (httpx2.ConnectError, "refused", "peer", "cannot connect: {text}"),
    ((httpx2.TransportError, httpx2.DecodingError), "protocol", "peer", "no usable answer: {text}"),
    (OSError, "refused", "peer", "cannot connect: {text}"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll has brought.

    Args:
        content: Body, decompressed.
        took: Seconds from request to answer.
        url: Where it came from, after redirects.
        data: The parsed body; None if it is no JSON.
    """

    status: int
    headers: httpx2.Headers
    content: bytes
    took: float
    url: str
    data: Any = None


class Poller:
    """A client for one server that reuses connections, and keeps cookies and validators if they are ASCII."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None
        self._made_for: tuple[Any, ...] = ()
        self.validators: dict[str, str] = {}
        self._validated_url = ""

    async def fetch(self, setup: PollingSetup, params: dict[str, Any] | None = None) -> Answer:
        """Ask once, following redirects without carrying secrets along; return an answer of status 2xx or 304.

        `params` are query parameters beside those of the setup.

        Raises:
            DialFailed: There is no such answer; `failure` has the reason.
        """
        began, limits = time.monotonic(), setup.timeouts
        # A request has a limit as a whole too: a peer that sends a byte at a time must not hold it for ever.
        limit = None if limits.read is None else 2 * limits.read + (limits.connect or 0.0)
        try:
            url = httpx2.URL(setup.url).copy_merge_params({**setup.params, **(params or {})})
            client = await self._client_for(setup)
            with unlogged():
                async with asyncio.timeout(limit):
                    return await self._follow(client, setup, str(url), began)
        except Exception as error:
            raise DialFailed(failure_of(error, setup, "socksio", _MEANINGS)) from error

    async def _follow(self, client: httpx2.AsyncClient, setup: PollingSetup, url: str, began: float) -> Answer:
        first, method = url, setup.method.upper()
        for _ in range(setup.max_redirects + 1):
            request = self._request(client, setup, method, first, url)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                status, given = response.status_code, setup.method.upper()
                becomes_get = status == 303 or (status in (301, 302) and method == "POST")
                has_body = method == given and (setup.content is not None or setup.json is not None)
                home = first if has_body and not becomes_get else None
                target = next_hop(url, status, _headers_of(response.headers), home=home)
                if target is None:
                    return await self._answer(response, setup, first, began)
            finally:
                await response.aclose()
            url, method = target, "GET" if becomes_get else method
        raise DialFailed(Failure("redirect", f"more than {setup.max_redirects} redirects"))

    def _request(
        self, client: httpx2.AsyncClient, setup: PollingSetup, method: str, first: str, url: str
    ) -> httpx2.Request:
        headers = headers_for(setup.headers, first, url)
        is_home = origin(first) == origin(url)
        if is_home and setup.conditional and self._validated_url == first:
            headers |= self.validators
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
            headers, body = _headers_of(response.headers), await _beginning(response)
            raise DialFailed(refusal("status", f"the server answered {status}", status, headers, body))
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > setup.max_message:
                raise DialFailed(Failure("protocol", f"an answer of more than {setup.max_message} bytes", status))
        if status != 304:
            tags = (("if-none-match", "etag"), ("if-modified-since", "last-modified"))
            found = ((name, response.headers.get(tag, "")) for name, tag in tags)
            self.validators = {name: value for name, value in found if value and value.isascii()}
            self._validated_url = first
        try:
            data = parsed(bytes(content)) if content else None
        except ValueError:
            data = None
        took = time.monotonic() - began
        return Answer(status, response.headers, bytes(content), took, str(response.url), data)

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
    """Read the body of a refusal as far as it comes within a second, at most `MOST_BODY`; ignore errors."""
    content = bytearray()
    try:
        async with asyncio.timeout(1):
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) >= MOST_BODY:
                    break
    except (TimeoutError, httpx2.HTTPError):
        pass
    return bytes(content)


@dataclass(slots=True)
class _Batch:
    """The events of one answer, and the cursor that follows them."""

    outcomes: list[Outcome] = field(default_factory=list)
    cursor: Any = None


class PollingLink(DialledLink[PollingSetup]):
    """Asks, puts the events into the queue, moves the cursor when they have been handled, asks again."""

    kind = "polling"
    setup_type = PollingSetup

    def __init__(
        self,
        home: Home,
        options: LinkOptions,
        source: str | PollingSetup | Callable[[], Any],
        events: str | Callable[[Answer], Any] | None,
        cursor: str | Callable[[Answer], Any] | None,
        cursor_param: str | None,
        start: Any,
        on_cursor: Callable[[Any], Any] | None,
        overlap: int,
    ) -> None:
        super().__init__(home, options, source)
        self.cursor = start
        self._events, self._next_cursor, self._cursor_param = events, cursor, cursor_param
        self._on_cursor, self._overlap = on_cursor, overlap
        self._poller = Poller()
        self._batches: deque[_Batch] = deque()

    async def hang_up(self) -> None:
        """Move the cursor past what has been handled, and close the client."""
        self._commit()
        self._batches.clear()
        await self._poller.aclose()

    async def attempt(self, schedule: Schedule) -> Failure:
        """Ask until something goes wrong; an attempt is as long as the link stays up."""
        while True:
            setup = await self.setup_for(schedule)
            name = self._cursor_param
            params = {} if name is None or self.cursor is None else {name: self.cursor}
            answer = await self._poller.fetch(setup, params)
            self.come_up(f"{self.target} answers")
            try:
                events = await self._hand_on(answer)
            except QueueFull:
                self._poller.validators = {}  # ask for a whole answer the next time
                return Failure("closed", "our queue is full", side="us")
            while len(self._batches) > self._overlap:
                if waiting := [outcome for outcome in self._batches[0].outcomes if not outcome.done()]:
                    await asyncio.wait(waiting)
                self._commit()
            pause = pause_after(
                had_events=events > 0, took=answer.took, interval=setup.interval, is_long_poll=setup.long_poll
            )
            await (self.clock.sleep(pause) if pause > 0 else asyncio.sleep(0))
            self.counters.attempts += 1

    async def _hand_on(self, answer: Answer) -> int:
        """Put the events of an answer into the queue; return how many of them are valid and new."""
        if answer.status in (204, 304):
            return 0
        try:
            events = self._events_in(answer)
            cursor = self._next_cursor(answer) if callable(self._next_cursor) else id_of(answer.data, self._next_cursor)
        except BaseException as error:  # perhaps of a function of the program
            if ends_task(error):
                raise
            self.counters.received += 1
            self.counters.invalid += 1
            logger.warning("link %s: skipped an answer that cannot be read: %s", self.name, type(error).__name__)
            return 0
        names = [name for name in (self._events, self._next_cursor) if isinstance(name, str)]
        missing = [name for name in names if answer.data is not None and field_of(answer.data, name) is MISSING]
        if missing:
            number = self.counters.incomplete = self.counters.incomplete + 1
            if is_power_of_two(number):
                text, fields = "link %s: an answer has no field %s (%d such answers so far)", map(repr, missing)
                logger.warning(text, self.name, " and no field ".join(fields), number)
        session = self.session()
        connection = Connection(session, answer.url, _headers_of(answer.headers))
        batch = _Batch()
        self._batches.append(batch)
        for event in events:
            with suppress(ValueError):
                outcome = await session.deliver(connection, event, is_parsed=self._events is not None)
                batch.outcomes += [outcome] if outcome is not None else []
        # Set when all events are in the queue: what interrupts the loop before leaves the cursor where it was.
        batch.cursor = cursor
        self._commit()
        return len(batch.outcomes)

    def _events_in(self, answer: Answer) -> Sequence[Any]:
        """List the events of an answer, none where the field is null or missing; raise `ValueError` for no list."""
        if self._events is None:
            return [answer.content] if answer.content else []
        found = self._events(answer) if callable(self._events) else id_of(answer.data, self._events)
        if found is None and answer.data is not None:
            return []
        if not isinstance(found, Iterable) or isinstance(found, str | bytes | dict):
            raise ValueError("there is no list of events where it should be")
        return list(found)

    def _commit(self) -> None:
        """Move the cursor past the answers whose events have all been handled."""
        while self._batches and all(outcome.done() for outcome in self._batches[0].outcomes):
            cursor = self._batches.popleft().cursor
            if cursor is not None and cursor != self.cursor:
                self.cursor = cursor
                if self._on_cursor is not None:
                    self.run_hook(self._on_cursor, cursor)
