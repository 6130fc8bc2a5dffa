"""HTTP/1.0 for `httpx2`, which itself speaks 1.1 and 2 only.

A 1.0 request differs in its first line and in that the connection ends with the answer, so the network
beneath the pool writes another first line, and nothing is kept. Bodies have a length, never chunks.
"""

import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpcore2
import httpx2


class OldTransport(httpx2.AsyncBaseTransport):
    """A transport that sends HTTP/1.0.

    Args:
        context: How to check certificates.
        proxy: URL of an HTTP or SOCKS5 proxy.
    """

    def __init__(self, context: ssl.SSLContext, proxy: str | None = None) -> None:
        backend = _OldNetwork(httpcore2.AnyIOBackend())
        options: dict[str, Any] = {
            "ssl_context": context,
            "network_backend": backend,
            "max_connections": None,
            "max_keepalive_connections": 0,
        }
        self._pool = httpcore2.AsyncConnectionPool(**options) if proxy is None else _through(proxy, options)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request."""
        headers = [pair for pair in request.headers.raw if pair[0].lower() not in (b"connection", b"keep-alive")]
        try:
            answer = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=[*headers, (b"Connection", b"close")],
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except Exception as failed:
            raise _translated(failed) from failed
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()


def _through(proxy: str, options: dict[str, Any]) -> httpcore2.AsyncConnectionPool:
    told = httpx2.Proxy(proxy)
    options |= {"proxy_url": str(told.url), "proxy_auth": told.raw_auth}
    if told.url.scheme.startswith("socks"):
        return httpcore2.AsyncSOCKSProxy(**options)
    return httpcore2.AsyncHTTPProxy(**options)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except Exception as failed:
            raise _translated(failed) from failed

    async def aclose(self) -> None:
        await self._stream.aclose()


def _translated(failed: Exception) -> Exception:
    """Return the exception of `httpx2` that stands for one of the layer beneath; they bear the same names."""
    for cls in type(failed).__mro__:
        named = getattr(httpx2, cls.__name__, None)
        if cls.__module__.startswith("httpcore2") and named is not None:
            translated: Exception = named(str(failed))
            return translated
    return failed


class _OldNetwork(httpcore2.AsyncNetworkBackend):
    def __init__(self, network: httpcore2.AsyncNetworkBackend) -> None:
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of the interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _OldStream(await self._network.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class _OldStream(httpcore2.AsyncNetworkStream):
    """A stream that changes the version in what is written first: the request line."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._is_fresh = True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the signature of the interface
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the signature of the interface
        line, end, rest = bytes(buffer).partition(b"\r\n") if self._is_fresh else (b"", b"", b"")
        if line.endswith(b" HTTP/1.1"):  # and no greeting of a proxy
            self._is_fresh = False
            buffer = line.removesuffix(b"HTTP/1.1") + b"HTTP/1.0" + end + rest
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of the interface
    ) -> httpcore2.AsyncNetworkStream:
        return _OldStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
