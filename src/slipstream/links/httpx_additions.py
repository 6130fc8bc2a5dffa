"""What links and NoneBot's driver add to `httpx2`: HTTP/1.0, cookies that can be sent again, and SOCKS that closes."""

import ssl
from collections.abc import Mapping
from http.cookiejar import Cookie, DefaultCookiePolicy
from typing import Any

import httpx2


class Sendable(DefaultCookiePolicy):
    """Keeps the cookies that httpx2 can send again: one beyond ASCII would be an error at each later request."""

    def set_ok(self, cookie: Cookie, request: Any) -> bool:
        """Return whether to keep a cookie."""
        return f"{cookie.name}{cookie.value}".isascii() and super().set_ok(cookie, request)


class Closing:
    """A `trace` extension for one request: closes the connection to a SOCKS proxy that httpcore2 forgets on failure."""

    def __init__(self) -> None:
        self._stream: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of a step of httpcore2."""
        if event == "socks.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event in ("socks.setup_socks5_connection.failed", "socks.start_tls.failed"):
            await self._stream.aclose()


class OldTransport(httpx2.AsyncHTTPTransport):
    """A transport that sends HTTP/1.0, which `httpx2` does not speak, perhaps through an HTTP or SOCKS5 proxy.

    Such a request differs in its first line and in that the connection ends with the answer. So each stream that is
    opened for a request writes another first line, and no connection is kept. Bodies have a length, never chunks.
    """

    def __init__(self, context: ssl.SSLContext, proxy: str | None = None) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        super().__init__(verify=context, trust_env=False, limits=limits, proxy=proxy)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request."""
        headers = [pair for pair in request.headers.raw if pair[0].lower() not in (b"connection", b"keep-alive")]
        outer = request.extensions.get("trace")

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                _write_old_line(info["return_value"])
            if outer is not None:
                await outer(event, info)

        old = httpx2.Request(
            request.method,
            request.url,
            headers=[*headers, (b"Connection", b"close")],
            stream=request.stream,
            extensions={**request.extensions, "trace": trace},
        )
        return await super().handle_async_request(old)


def _write_old_line(stream: Any) -> None:
    """Change the version in the first request line that a stream of httpcore2 writes."""
    write, is_fresh = stream.write, True

    async def write_old(buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the stream's signature
        nonlocal is_fresh
        line, end, rest = bytes(buffer).partition(b"\r\n") if is_fresh else (b"", b"", b"")
        if line.endswith(b" HTTP/1.1"):  # and no greeting of a proxy
            is_fresh = False
            buffer = line.removesuffix(b"HTTP/1.1") + b"HTTP/1.0" + end + rest
        await write(buffer, timeout)

    stream.write = write_old
