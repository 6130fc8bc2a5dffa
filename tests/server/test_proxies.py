"""Whom a request comes from: as uvicorn has it for X-Forwarded headers, as RFC 7239 has it for Forwarded."""

import asyncio
import time
from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from slipstream.server.proxies import Proxies
from tests.server.test_differential import Recorder
from tests.server.wire import Connection, configured

TRUSTED = "127.0.0.1, 10.0.0.0/8, ::1, fe80::/10, proxy"
HOPS = [
    "1.2.3.4", "1.2.3.4, 10.0.0.1", "1.2.3.4:80, 10.0.0.1:99", "10.0.0.1, 10.0.0.2", "5.6.7.8, 1.2.3.4, 10.1.1.1", "",
    "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "[2001:db8::1", "1.2.3.4:x", "1.2.3.4, proxy", "unknown",
    " , ", "1.2.3.4, fe80::1, ::1", "[::1]:80, 1.2.3.4",
]  # fmt: skip


async def under_uvicorn(trusted: str, headers: list[tuple[bytes, bytes]]) -> Any:
    """Return client and scheme that uvicorn's middleware finds."""
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.extend((scope["client"], scope["scheme"]))

    scope: Any = {"type": "http", "client": ("127.0.0.1", 50000), "scheme": "http", "headers": headers}
    await ProxyHeadersMiddleware(app, trusted)(scope, None, None)  # type: ignore[arg-type]  # not called
    return tuple(found)


@pytest.mark.parametrize("trusted", [TRUSTED, "*"])
@pytest.mark.parametrize("hops", HOPS)
def test_hops_are_read_as_uvicorn_reads_them(hops: str, trusted: str) -> None:
    """Deployments rely on it."""
    headers = [(b"x-forwarded-for", hops.encode())]

    ours = Proxies(trusted).origin(dict(headers), ("127.0.0.1", 50000), "http")

    assert ours == asyncio.run(under_uvicorn(trusted, headers))


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "", " https "])
def test_the_scheme_is_read_as_uvicorn_reads_it(scheme: str) -> None:
    """URLs are made of it."""
    headers = [(b"x-forwarded-proto", scheme.encode())]

    ours = Proxies("*").origin(dict(headers), ("127.0.0.1", 50000), "http")

    assert ours == asyncio.run(under_uvicorn("*", headers))


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("for=1.2.3.4", (("1.2.3.4", 0), "http")),
        ("For=1.2.3.4;Proto=HTTPS;by=10.0.0.1", (("1.2.3.4", 0), "https")),
        ('for="[2001:db8::1]:443";proto=https', (("2001:db8::1", 443), "https")),
        ("for=6.6.6.6, for=1.2.3.4;proto=https, for=10.0.0.1", (("1.2.3.4", 0), "https")),
        ('for="1.2.3.4:80" , for=10.0.0.1', (("1.2.3.4", 80), "http")),
        ('for="a\\"b, for=6.6.6.6", for=1.2.3.4', (("1.2.3.4", 0), "http")),
        ("for=_hidden", (("_hidden", 0), "http")),
        ("proto=ftp", (("127.0.0.1", 50000), "http")),
        ("", (("127.0.0.1", 50000), "http")),
        (";;,,=", (("127.0.0.1", 50000), "http")),
    ],
)
def test_forwarded_is_read(value: str, origin: Any) -> None:
    """RFC 7239, 4: pairs of each hop, hops separated by commas, values quoted where they must be."""
    assert Proxies(TRUSTED).origin({b"forwarded": value.encode()}, ("127.0.0.1", 50000), "http") == origin


@pytest.mark.parametrize("value", ["for=" * 2000, 'for="' * 2000, "for=a," * 1500, '"' * 8000, ";" * 8000, "\\" * 8000])
def test_a_forwarded_header_of_8_kib_is_read_at_once(value: str) -> None:
    """A client may write into it what a proxy sends on (CVE-2024-24762 and its like)."""
    before = time.process_time()

    Proxies(TRUSTED).origin({b"forwarded": value.encode()}, None, "http")

    assert time.process_time() - before < 0.1


def test_forwarded_does_not_count_beside_the_others() -> None:
    """A proxy that writes X-Forwarded-For lets through what the client has written as Forwarded."""
    noted = {b"forwarded": b"for=6.6.6.6;proto=https", b"x-forwarded-for": b"1.2.3.4"}

    assert Proxies(TRUSTED).origin(noted, ("127.0.0.1", 50000), "http") == (("1.2.3.4", 0), "http")


@pytest.mark.parametrize(
    ("trusted", "peer", "client"),
    [
        ("127.0.0.1", ("127.0.0.1", 50000), ("1.2.3.4", 0)),
        ("127.0.0.0/8", ("127.0.0.9", 50000), ("1.2.3.4", 0)),
        ("10.0.0.1", ("127.0.0.1", 50000), ("127.0.0.1", 50000)),
        ("unix", "", ("1.2.3.4", 0)),
        ("127.0.0.1", "", None),
        ("*", "", ("1.2.3.4", 0)),
        ("*", ("8.8.8.8", 50000), ("1.2.3.4", 0)),
        ("", ("127.0.0.1", 50000), ("127.0.0.1", 50000)),
    ],
)
def test_only_trusted_peers_are_believed(trusted: str, peer: Any, client: Any) -> None:
    """Anybody can write a header."""

    async def main() -> Any:
        app = Recorder()
        connection = Connection(configured(app, proxy_headers=True, forwarded_allow_ips=trusted), peer=peer)
        await connection.feed(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
        return app.asked[0]["client"]

    assert asyncio.run(main()) == client
