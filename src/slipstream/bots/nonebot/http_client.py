"""HTTP requests that we send: sessions, and the connections that they share."""

import contextlib
import copy
import functools
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from http.cookiejar import Cookie, CookieJar
from typing import Any

import anyio
import httpx2
from multidict import CIMultiDict
from nonebot.drivers import (
    DEFAULT_TIMEOUT,
    URL,
    Cookies,
    HTTPClientSession,
    HTTPVersion,
    Request,
    Response,
    Timeout,
)
from nonebot.utils import UNSET, UnsetType

from slipstream._foreign.nonebot import CookieTypes, HeaderTypes, QueryTypes, TimeoutTypes
from slipstream.links.httpx_additions import Closing, OldTransport, Sendable
from slipstream.links.libraries import require

_Kind = tuple[HTTPVersion, str | None]


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the context that every client shares; to load the certificates takes longer than most requests."""
    return httpx2.create_ssl_context()


class _NoCookies(CookieJar):
    """A jar that keeps nothing."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass

    def set_cookie(self, cookie: Cookie) -> None:
        pass


@contextlib.contextmanager
def _at_most(seconds: float | None) -> Iterator[None]:
    """Bound a whole exchange; its steps have bounds of their own."""
    if seconds is None:
        yield
    else:
        with anyio.fail_after(seconds):
            yield


class Clients:
    """HTTP clients, one for each HTTP version and proxy, made when they are first asked for.

    Args:
        jar: Where cookies of answers go; nowhere by default.
        keepalive: Seconds that an idle connection is kept.
    """

    def __init__(self, jar: CookieJar | None = None, keepalive: float = 4.0) -> None:
        self.jar = _NoCookies() if jar is None else jar
        self.keepalive = keepalive
        self.is_running = False
        self._clients: dict[_Kind, httpx2.AsyncClient] = {}

    async def start(self) -> None:
        """Keep connections from now on."""
        self.is_running = True

    async def stop(self) -> None:
        """Close every connection, and keep none from now on."""
        self.is_running = False
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    @contextlib.asynccontextmanager
    async def lent(self, version: HTTPVersion, proxy: str | None) -> AsyncIterator[httpx2.AsyncClient]:
        """Lend the client for a version and a proxy; while not running, one that is closed afterwards."""
        if not self.is_running:
            async with self._make(version, proxy) as client:
                yield client
            return
        kind = (version, proxy)
        kept = self._clients.get(kind)
        if kept is None:
            kept = self._clients[kind] = self._make(version, proxy)
        yield kept

    def _make(self, version: HTTPVersion, proxy: str | None) -> httpx2.AsyncClient:
        if version is HTTPVersion.H2:
            require("h2", "HTTP/2", "http2")
        if proxy is not None and proxy.startswith("socks"):
            require("socksio", "a SOCKS proxy", "socks")
        how: dict[str, Any] = {"proxy": proxy}
        if version is HTTPVersion.H10:
            how = {"transport": OldTransport(_tls(), proxy)}
        return httpx2.AsyncClient(
            http2=version is HTTPVersion.H2,
            verify=_tls(),
            follow_redirects=True,
            cookies=self.jar,
            timeout=None,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=self.keepalive),
            **how,
        )


class Session(HTTPClientSession):
    """Requests that have something in common.

    Args:
        params: Query of every request, beneath its own.
        headers: Headers of every request, beneath its own.
        cookies: Cookies of every request, beside its own. Those that a server sets join them.
        version: HTTP version of every request that leaves it at 1.1.
        timeout: Seconds for each step, or a `Timeout`; where a field is not set, NoneBot's default holds.
        proxy: URL of the proxy of every request that names none.
        keepalive: Seconds that an idle connection is kept.
    """

    def __init__(
        self,
        params: QueryTypes = None,
        headers: HeaderTypes = None,
        cookies: CookieTypes = None,
        version: str | HTTPVersion = HTTPVersion.H11,
        timeout: TimeoutTypes | UnsetType = UNSET,
        proxy: str | None = None,
        *,
        keepalive: float = 4.0,
    ) -> None:
        self._params = None if params is None else URL.build(query=params).query
        self._headers = None if headers is None else CIMultiDict(headers)
        jar = Cookies(cookies).jar
        if jar is not cookies:  # a jar of the program keeps what the program says
            jar.set_policy(Sendable())
        self._clients = Clients(jar, keepalive)
        self._version = HTTPVersion(version)
        self._timeout, self._proxy = completed(timeout, DEFAULT_TIMEOUT), proxy

    async def setup(self) -> None:
        """Open the session.

        Raises:
            RuntimeError: It is open.
        """
        if self._clients.is_running:
            raise RuntimeError("the session is open already")
        await self._clients.start()

    async def close(self) -> None:
        """Close the session; it may be opened again."""
        await self._clients.stop()

    async def request(self, setup: Request) -> Response:
        """Send a request and read the whole answer.

        Raises:
            RuntimeError: The session is not open.
        """
        answer = await send(self._opened(), self._completed(setup), self._timeout)
        answer.request = setup
        return answer

    async def stream_request(self, setup: Request, *, chunk_size: int = 1024) -> AsyncGenerator[Response, None]:
        """Send a request and yield the answer in pieces of `chunk_size` bytes; the last may be shorter.

        Raises:
            RuntimeError: The session is not open.
        """
        async with contextlib.aclosing(
            stream(self._opened(), self._completed(setup), self._timeout, chunk_size)
        ) as pieces:
            async for piece in pieces:
                piece.request = setup
                yield piece

    def _opened(self) -> Clients:
        if not self._clients.is_running:
            raise RuntimeError("the session is not open; use it in `async with`, or await its setup()")
        return self._clients

    def _completed(self, setup: Request) -> Request:
        """Return a request with what the session adds to it."""
        whole = copy.copy(setup)
        if self._params is not None:
            query = self._params.copy()
            query.update(setup.url.query)
            whole.url = setup.url.with_query(query)
        if self._headers is not None:
            whole.headers = self._headers.copy()
            whole.headers.update(setup.headers)
        if setup.version is HTTPVersion.H11:
            whole.version = self._version
        whole.proxy = setup.proxy or self._proxy
        return whole


async def send(clients: Clients, setup: Request, default: Timeout = DEFAULT_TIMEOUT) -> Response:
    """Send a request and read the whole answer.

    Args:
        clients: Where its connection comes from.
        setup: The request.
        default: Bounds that hold where the request sets none.
    """
    bounds = completed(setup.timeout, default)
    with _at_most(_seconds(bounds.total)):
        async with clients.lent(setup.version, setup.proxy) as client:
            answer = await client.send(_build(client, setup, bounds))
    return Response(answer.status_code, headers=answer.headers.multi_items(), content=answer.content, request=setup)


async def stream(clients: Clients, setup: Request, default: Timeout, chunk_size: int) -> AsyncGenerator[Response, None]:
    """Send a request and yield the answer in pieces; see `send`. `Timeout.total` bounds the wait for its head."""
    bounds = completed(setup.timeout, default)
    async with clients.lent(setup.version, setup.proxy) as client:
        with _at_most(_seconds(bounds.total)):
            answer = await client.send(_build(client, setup, bounds), stream=True)
        try:
            headers = answer.headers.multi_items()
            async with contextlib.aclosing(answer.aiter_bytes(chunk_size)) as pieces:
                async for piece in pieces:
                    yield Response(answer.status_code, headers=headers, content=piece, request=setup)
        finally:
            await answer.aclose()


def _build(client: httpx2.AsyncClient, setup: Request, bounds: Timeout) -> httpx2.Request:
    headers = list(setup.headers.items())
    if len(setup.cookies):
        # what the session holds and what the request brings, chosen by the same rules; nothing is kept
        both = Cookies()
        for cookie in (*client.cookies.jar, *setup.cookies.jar):
            both.jar.set_cookie(cookie)
        headers += both.as_header(setup).items()
    connect, read = _seconds(bounds.connect), _seconds(bounds.read)
    return client.build_request(
        setup.method,
        str(setup.url),
        content=setup.content,
        data=setup.data,
        files=setup.files and [(name, (file[0], _sized(file[1]), file[2])) for name, file in setup.files],
        json=setup.json,
        headers=headers,
        extensions={"trace": Closing()},
        timeout=httpx2.Timeout(connect=connect, read=read, write=read, pool=connect),
    )


def _sized(content: Any) -> Any:
    """Return a file whose length can be known beforehand; one that cannot seek is read."""
    if isinstance(content, bytes | str) or (hasattr(content, "seekable") and content.seekable()):
        return content
    return content.read()


def completed(timeout: TimeoutTypes | UnsetType, base: Timeout) -> Timeout:
    """Return bounds with every field set: what is not set comes from `base`. A number bounds each step."""
    if timeout is UNSET:
        return base
    if not isinstance(timeout, Timeout):
        return Timeout(total=None, connect=timeout, read=timeout, close=timeout)
    return Timeout(
        **{
            name: getattr(base if getattr(timeout, name) is UNSET else timeout, name)
            for name in ("total", "connect", "read", "close")
        }
    )


def _seconds(value: Any) -> float | None:
    return None if value is None or value is UNSET else float(value)
