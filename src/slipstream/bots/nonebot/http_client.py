"""HTTP requests of NoneBot, sent by httpx2: with no session, and in one."""

import contextlib
import copy
import functools
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
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
from nonebot.utils import UNSET, UnsetType, exclude_unset

from slipstream._foreign.nonebot import CookieTypes, HeaderTypes, QueryTypes, TimeoutTypes
from slipstream.links.httpx_additions import Closing, OldTransport, Sendable
from slipstream.links.setup import require


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the context that all connections share, since loading the certificates takes longer than most requests."""
    return httpx2.create_ssl_context()


class Client:
    """Sends requests, with one pool of connections for each HTTP version and proxy; without a jar it drops cookies."""

    def __init__(
        self, jar: CookieJar | None = None, keepalive: float = 4.0, timeout: Timeout = DEFAULT_TIMEOUT
    ) -> None:
        self.keepalive = keepalive
        self._jar = CookieJar(DefaultCookiePolicy(allowed_domains=())) if jar is None else jar
        self._timeout = timeout
        self._is_running = False
        self._pools: dict[tuple[HTTPVersion, str | None], httpx2.AsyncClient] = {}

    async def start(self) -> None:
        """Keep connections from now on."""
        self._is_running = True

    async def stop(self) -> None:
        """Close all connections, and keep none from now on."""
        self._is_running = False
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    async def request(self, setup: Request) -> Response:
        """Send a request and read the whole response, both within `Timeout.total`."""
        whole, limits = self._completed(setup)
        with anyio.fail_after(limits.total):
            async with self._pool_for(whole) as pool:
                answer = await pool.send(_build(pool, whole, limits))
        return Response(answer.status_code, headers=answer.headers.multi_items(), content=answer.content, request=setup)

    async def stream_request(self, setup: Request, *, chunk_size: int = 1024) -> AsyncGenerator[Response, None]:
        """Send a request and yield the response in pieces; `Timeout.total` limits the time until its head has come."""
        whole, limits = self._completed(setup)
        async with self._pool_for(whole) as pool:
            with anyio.fail_after(limits.total):
                answer = await pool.send(_build(pool, whole, limits), stream=True)
            headers = answer.headers.multi_items()
            async with contextlib.aclosing(answer), contextlib.aclosing(answer.aiter_bytes(chunk_size)) as pieces:
                async for piece in pieces:
                    yield Response(answer.status_code, headers=headers, content=piece, request=setup)

    def _completed(self, setup: Request) -> tuple[Request, Any]:
        """Return the request to send, and its limits, all of which are set."""
        return setup, completed(setup.timeout, self._timeout)

    @contextlib.asynccontextmanager
    async def _pool_for(self, setup: Request) -> AsyncIterator[httpx2.AsyncClient]:
        if not self._is_running:
            async with self._make_pool(setup.version, setup.proxy) as pool:
                yield pool
            return
        kind = (setup.version, setup.proxy)
        if kind not in self._pools:
            self._pools[kind] = self._make_pool(*kind)
        yield self._pools[kind]

    def _make_pool(self, version: HTTPVersion, proxy: str | None) -> httpx2.AsyncClient:
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
            cookies=self._jar,
            timeout=None,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=self.keepalive),
            **how,
        )


class Session(Client, HTTPClientSession):
    """Requests that share options, cookies and connections; what a request sets itself has priority.

    Cookies that servers set are added. A request that leaves the HTTP version at 1.1 has the session's.
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
        jar = Cookies(cookies).jar
        if jar is not cookies:  # a jar of the program keeps its own policy
            jar.set_policy(Sendable())
        super().__init__(jar, keepalive, completed(timeout, DEFAULT_TIMEOUT))
        self._params = None if params is None else URL.build(query=params).query
        self._headers = None if headers is None else CIMultiDict(headers)
        self._version, self._proxy = HTTPVersion(version), proxy

    async def setup(self) -> None:
        """Open the session; RuntimeError if it is open."""
        if self._is_running:
            raise RuntimeError("the session is open already")
        await self.start()

    async def close(self) -> None:
        """Close the session; it may be opened again."""
        await self.stop()

    def _completed(self, setup: Request) -> tuple[Request, Any]:
        if not self._is_running:
            raise RuntimeError("the session is not open; use it in `async with`, or await its setup()")
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
        return super()._completed(whole)


def _build(pool: httpx2.AsyncClient, setup: Request, limits: Any) -> httpx2.Request:
    headers = list(setup.headers.items())
    if len(setup.cookies):
        # one jar chooses among the cookies of the session and of the request; the session does not keep the latter
        both = Cookies()
        for cookie in (*pool.cookies.jar, *setup.cookies.jar):
            both.jar.set_cookie(cookie)
        headers += both.as_header(setup).items()
    return pool.build_request(
        setup.method,
        str(setup.url),
        content=setup.content,
        data=setup.data,
        files=setup.files and [(name, (file[0], _sized(file[1]), file[2])) for name, file in setup.files],
        json=setup.json,
        headers=headers,
        extensions={"trace": Closing()},
        timeout=httpx2.Timeout(connect=limits.connect, read=limits.read, write=limits.read, pool=limits.connect),
    )


def _sized(content: Any) -> Any:
    """Return a file whose length can be known before it is sent: a file that cannot seek is read."""
    if isinstance(content, bytes | str) or (hasattr(content, "seekable") and content.seekable()):
        return content
    return content.read()


def completed(timeout: TimeoutTypes | UnsetType, base: Timeout) -> Timeout:
    """Return limits with every field set, from `base` if `timeout` does not set it; a number limits each step."""
    if isinstance(timeout, Timeout):
        return replace(base, **exclude_unset(vars(timeout)))
    return base if timeout is UNSET else Timeout(total=None, connect=timeout, read=timeout, close=timeout)
