"""HTTP/1.0 for polling; the library beneath speaks 1.1 and 2.

A 1.0 request differs in its first line, and in that the connection ends with the answer.
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
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_keepalive_connections=0,
            network_backend=_OldNetwork(httpcore2.AnyIOBackend()),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request."""
        skipped = (b"connection", b"keep-alive")
        headers = [pair for pair in request.headers.raw if pair[0].lower() not in skipped]
        url = request.url
        try:
            answer = await self._pool.handle_async_request(
                httpcore2.Request(
                    request.method,
                    httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=[*headers, (b"Connection", b"close")],
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except Exception as error:
            raise _public(error) from error
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer.stream))

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except Exception as error:
            raise _public(error) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _public(error: Exception) -> Exception:
    """Find the exception of httpx2 that has the name of one of the layer beneath."""
    for kind in type(error).__mro__:
        same = getattr(httpx2, kind.__name__, None)
        if kind.__module__.startswith("httpcore2") and same is not None:
            found: Exception = same(str(error))
            return found
    return error


class _OldNetwork(httpcore2.AsyncNetworkBackend):
    def __init__(self, network: httpcore2.AsyncNetworkBackend) -> None:
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _OldStream(await self._network.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class _OldStream(httpcore2.AsyncNetworkStream):
    """A stream that writes another version into the request line."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._is_first = True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the interface
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the interface
        if self._is_first:
            self._is_first = False
            line, end, rest = bytes(buffer).partition(b"\r\n")
            buffer = line.removesuffix(b"HTTP/1.1") + b"HTTP/1.0" + end + rest
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface has it
    ) -> httpcore2.AsyncNetworkStream:
        return _OldStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
