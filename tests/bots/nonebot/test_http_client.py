"""HTTP requests of NoneBot's, sent by our clients to servers that tell what they saw."""

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from nonebot.drivers import HTTPVersion, Request, Response, Timeout
from starlette.applications import Starlette
from starlette.requests import Request as Incoming
from starlette.responses import JSONResponse, RedirectResponse, Response as Answer, StreamingResponse
from starlette.routing import Route

from slipstream.bots.nonebot import Driver
from slipstream.bots.nonebot.http_client import _tls, completed
from slipstream.bots.testing import Answer as PlatformAnswer, FakePlatform
from slipstream.links import MissingLibrary
from tests.loops import run
from tests.peers import HTTPProxy, Proxy, Socks5, http2_server, served

from .conftest import started

VERSIONS = pytest.mark.parametrize("version", list(HTTPVersion), ids=str)


async def echo(request: Incoming) -> Answer:
    """Tell what came, and give a cookie."""
    body = await request.body()
    async with request.form() as form:
        fields = {k: v if isinstance(v, str) else [v.filename, (await v.read()).decode()] for k, v in form.items()}
    told = {
        "method": request.method,
        "query": request.url.query,
        "headers": dict(request.headers),
        "cookies": request.cookies,
        "body": body.decode("latin-1"),
        "form": fields,
        "peer": request.scope["client"][1],
        "version": request.scope["http_version"],
    }
    answer = JSONResponse(told, headers={"X-One": "1"})
    answer.set_cookie("given", "by-server")
    answer.set_cookie("given2", "too")
    return answer


async def status(request: Incoming) -> Answer:
    """Answer with the status that was asked for."""
    return Answer(b"such is life", request.path_params["code"])


async def pieces(request: Incoming) -> Answer:
    """Send 1,000 bytes in uneven pieces."""

    async def body() -> AsyncIterator[bytes]:
        for size in (1, 99, 300, 600):
            yield b"x" * size

    return StreamingResponse(body())


async def silent(request: Incoming) -> Answer:
    """Answer never."""
    await asyncio.Event().wait()
    raise AssertionError


async def move(request: Incoming) -> Answer:
    """Send elsewhere."""
    return RedirectResponse("/echo")


WORLD = Starlette(
    routes=[
        Route("/echo", echo, methods=["GET", "POST", "PUT", "PROPFIND"]),
        Route("/status/{code:int}", status),
        Route("/pieces", pieces),
        Route("/silent", silent),
        Route("/move", move),
    ]
)


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[str]:
    """Serve the world; yield its address."""
    async with served(WORLD) as port:
        yield f"http://127.0.0.1:{port}"


async def told(sender: Any, request: Request) -> dict[str, Any]:
    """Send a request to the echo; return what it saw."""
    answer = await sender.request(request)
    assert answer.status_code == 200
    assert answer.request is request
    found: dict[str, Any] = json.loads(answer.content)
    return found


@VERSIONS
def test_a_request_arrives_as_it_was_written(driver: Driver, version: HTTPVersion) -> None:
    """Query, headers, cookies, content, whatever the version."""

    async def scenario() -> None:
        async with world() as address, started(driver):
            request = Request(
                "POST",
                f"{address}/echo?a=%20b",
                params={"c": "d&"},
                headers=[("X-Own", "1")],
                cookies={"k": "v"},
                content="héllo",
                version=version,
            )
            saw = await told(driver, request)

            assert saw["query"] == "a=+b&c=d%26" or saw["query"] == "a=%20b&c=d%26"
            assert (saw["method"], saw["body"], saw["cookies"]) == (
                "POST",
                "héllo".encode().decode("latin-1"),
                {"k": "v"},
            )
            assert saw["headers"]["x-own"] == "1"
            # HTTP/2 needs TLS to be agreed upon; without, the client says 1.1
            assert saw["version"] == ("1.0" if version is HTTPVersion.H10 else "1.1")

    run(scenario())


@VERSIONS
def test_each_kind_of_body_is_sent_with_its_length(driver: Driver, version: HTTPVersion) -> None:
    """Many platforms refuse chunks; and HTTP/1.0 has none."""

    class Pipe(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"piped"

    async def scenario() -> None:
        async with world() as address, started(driver):
            url = f"{address}/echo"
            saw = await told(driver, Request("POST", url, json={"a": [1]}, version=version))
            assert json.loads(saw["body"]) == {"a": [1]}
            assert saw["headers"]["content-type"] == "application/json"
            saw = await told(driver, Request("PUT", url, data={"a": "1", "b": "ü&"}, version=version))
            assert saw["form"] == {"a": "1", "b": "ü&"}
            files: Any = [
                ("one", b"1"),
                ("two", ("2.txt", io.BytesIO(b"22"))),
                ("three", ("3.bin", Pipe(), "application/x-own")),
            ]
            saw = await told(driver, Request("POST", url, data={"a": "1"}, files=files, version=version))
            assert saw["form"] == {"a": "1", "one": ["one", "1"], "two": ["2.txt", "22"], "three": ["3.bin", "piped"]}
            assert int(saw["headers"]["content-length"]) > 100
            assert "transfer-encoding" not in saw["headers"]
            assert (await told(driver, Request("PROPFIND", url, version=version)))["method"] == "PROPFIND"

    run(scenario())


def test_an_error_status_is_an_answer(driver: Driver) -> None:
    """Adapters look at the status themselves."""

    async def scenario() -> None:
        async with world() as address:
            for code in (204, 404, 500):
                answer = await driver.request(Request("GET", f"{address}/status/{code}"))
                assert answer.status_code == code
            assert answer.content == b"such is life"

    run(scenario())


def test_repeated_headers_of_an_answer_survive(driver: Driver) -> None:
    """Two cookies, two headers."""

    async def scenario() -> None:
        async with world() as address:
            answer = await driver.request(Request("GET", f"{address}/echo"))

            assert len(answer.headers.getall("Set-Cookie")) == 2

    run(scenario())


def test_connections_are_kept_while_the_driver_runs_and_cookies_are_not(driver: Driver) -> None:
    """A bot calls the same host all day; what one call was given must not go out with another."""

    async def scenario() -> None:
        async with world() as address:
            request = Request("GET", f"{address}/echo")
            async with started(driver):
                first, second = await told(driver, request), await told(driver, request)
                assert first["peer"] == second["peer"]
                assert second["cookies"] == {}
                third = await told(driver, Request("GET", f"{address}/echo", cookies={"a": "1"}))
                fourth = await told(driver, request)
                assert (third["cookies"], fourth["cookies"]) == ({"a": "1"}, {})
            after = await told(driver, request)
            assert after["peer"] != first["peer"]

    run(scenario())


def test_a_session_adds_what_it_was_given_and_what_the_server_gave_it(driver: Driver) -> None:
    """What a request brings wins, and goes no further than that request."""

    async def scenario() -> None:
        async with world() as address:
            url = f"{address}/echo"
            async with driver.get_session({"s": "1", "p": "s"}, {"X-S": "1", "X-P": "s"}, {"c": "s"}) as session:
                request = Request("GET", url, params={"p": "r"}, headers={"X-P": "r"}, cookies={"own": "r"})
                first = await told(session, request)
                second = await told(session, Request("GET", url))

            assert sorted(first["query"].split("&")) == ["p=r", "s=1"]
            assert (first["headers"]["x-s"], first["headers"]["x-p"]) == ("1", "r")
            assert first["cookies"] == {"c": "s", "own": "r"}
            assert second["cookies"] == {"c": "s", "given": "by-server", "given2": "too"}
            assert first["peer"] == second["peer"]
            assert str(request.url) == f"{url}?p=r"

    run(scenario())


def test_a_session_outlives_a_cookie_that_cannot_be_sent_back(driver: Driver) -> None:
    """Under NoneBot's own driver each later request of the session fails."""

    async def scenario() -> None:
        async with FakePlatform() as platform:
            platform.always = PlatformAnswer(200, b"", {"Set-Cookie": "name=\xe9; Path=/"})
            async with driver.get_session() as session:
                answers = [await session.request(Request("GET", platform.http_url)) for _ in range(2)]

            assert [answer.status_code for answer in answers] == [200, 200]
            assert "cookie" not in platform.asked[1].headers

    run(scenario())


def test_a_session_that_is_misused_says_so(driver: Driver) -> None:
    """Not open, open twice, closed again."""

    async def scenario() -> None:
        session = driver.get_session()
        with pytest.raises(RuntimeError, match="not open"):
            await session.request(Request("GET", "http://127.0.0.1/"))
        async with session:
            with pytest.raises(RuntimeError, match="open already"):
                await session.setup()
        with pytest.raises(RuntimeError, match="not open"):
            async for _ in session.stream_request(Request("GET", "http://127.0.0.1/")):
                pass

    run(scenario())


@VERSIONS
def test_every_piece_of_a_stream_has_the_size_asked_for_but_the_last(driver: Driver, version: HTTPVersion) -> None:
    """However the server cut it; leaving early leaves nothing open."""

    async def scenario() -> None:
        async with world() as address, started(driver):
            request = Request("GET", f"{address}/pieces", version=version)
            got: list[Response] = [piece async for piece in driver.stream_request(request, chunk_size=128)]
            assert [len(piece.content or b"") for piece in got] == [128] * 7 + [104]
            assert {piece.status_code for piece in got} == {200}
            async with driver.get_session() as session:
                stream = session.stream_request(request, chunk_size=10)
                assert (await anext(stream)).content == b"x" * 10
                await stream.aclose()

    run(scenario())


def test_a_silent_server_is_given_up_after_the_time_that_was_set(driver: Driver) -> None:
    """`read` bounds a step, `total` the whole."""

    async def scenario() -> None:
        async with world() as address:
            url = f"{address}/silent"
            with pytest.raises(httpx2.ReadTimeout):
                await driver.request(Request("GET", url, timeout=0.05))
            with pytest.raises(httpx2.ReadTimeout):
                await driver.request(Request("GET", url, timeout=Timeout(read=0.05)))
            with pytest.raises(httpx2.ReadTimeout):
                await driver.request(Request("GET", url, timeout=0.05, version="1.0"))
            with pytest.raises(TimeoutError):
                await driver.request(Request("GET", url, timeout=Timeout(total=0.05)))
            async with driver.get_session(timeout=Timeout(read=0.05)) as session:
                with pytest.raises(httpx2.ReadTimeout):
                    await session.request(Request("GET", url))

    run(scenario())


def test_bounds_that_are_not_set_come_from_below() -> None:
    """A field set to `None` is set: it means no bound."""
    base = Timeout(total=1, connect=2, read=3, close=4)

    assert completed(Timeout(read=None), base) == Timeout(total=1, connect=2, read=None, close=4)
    assert completed(7.0, base) == Timeout(total=None, connect=7.0, read=7.0, close=7.0)
    assert completed(None, base) == Timeout(total=None, connect=None, read=None, close=None)


def test_a_redirect_is_followed(driver: Driver) -> None:
    """As both of NoneBot's own clients do."""

    async def scenario() -> None:
        async with world() as address:
            answer = await driver.request(Request("GET", f"{address}/move"))

            assert answer.status_code == 200

    run(scenario())


@pytest.mark.parametrize("version", [HTTPVersion.H10, HTTPVersion.H11], ids=str)
def test_a_request_goes_through_the_proxy_that_it_names(driver: Driver, version: HTTPVersion) -> None:
    """The proxy is asked for the whole address."""
    lines: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).decode().partition("\r\n")[0])
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            request = Request("GET", "http://platform.example/x", proxy=url, version=version)
            assert (await driver.request(request)).content == b"ok"
            async with driver.get_session(proxy=url, version=version) as session:
                assert (await session.request(Request("GET", "http://platform.example/y"))).content == b"ok"

    run(scenario())
    assert lines == [f"GET http://platform.example/{path} HTTP/{version.value}" for path in "xy"]


@pytest.mark.parametrize("kind", [Socks5, HTTPProxy])
@VERSIONS
def test_a_proxy_is_told_its_login(driver: Driver, version: HTTPVersion, kind: type[Proxy]) -> None:
    """SOCKS and HTTP, in every version."""

    async def scenario() -> None:
        async with world() as address, kind(("me", "s3cr3t")) as proxy, started(driver):
            url = address.replace("127.0.0.1", "platform.test") + "/echo"
            request = Request("GET", url, proxy=proxy.url("me", "s3cr3t"), version=version)

            assert (await told(driver, request))["method"] == "GET"
            with pytest.raises(httpx2.ProxyError if kind is Socks5 else AssertionError):
                await told(driver, Request("GET", url, proxy=proxy.url("me", "wrong"), version=version))
        assert proxy.asked == [("platform.test", int(address.rpartition(":")[2]))]

    run(scenario())


def test_http_2_is_spoken_with_a_server_that_speaks_it(
    driver: Driver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request, a session, a stream; by one connection where they come at once."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def scenario() -> None:
        async with http2_server(WORLD, certificate) as port, started(driver):
            address = f"https://localhost:{port}"
            requests = [Request("POST", f"{address}/echo", content=b"x", version="2") for _ in range(5)]
            saw = await asyncio.gather(*(told(driver, each) for each in requests))
            async with driver.get_session(version="2") as session:
                in_session = await told(session, Request("GET", f"{address}/echo", cookies={"k": "v"}))
            streamed = Request("GET", f"{address}/pieces", version="2")
            sizes = [len(piece.content or b"") async for piece in driver.stream_request(streamed, chunk_size=300)]
            older = await told(driver, Request("GET", f"{address}/echo"))

        assert {each["version"] for each in (*saw, in_session)} == {"2"}
        assert {each["body"] for each in saw} == {"x"}
        assert in_session["cookies"] == {"k": "v"}
        assert len({each["peer"] for each in saw}) == 1
        assert sizes == [300, 300, 300, 100]
        assert older["version"] == "1.1"

    _tls.cache_clear()
    try:
        run(scenario())
    finally:
        _tls.cache_clear()


def test_what_a_request_wants_and_is_not_installed_is_named(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that brings it."""
    monkeypatch.setitem(sys.modules, "h2", None)
    monkeypatch.setitem(sys.modules, "socksio", None)

    with pytest.raises(MissingLibrary, match=r"pip install 'slipstream\[http2\]'"):
        run(told(driver, Request("GET", "https://h/", version="2")))
    with pytest.raises(MissingLibrary, match=r"pip install 'slipstream\[socks\]'"):
        run(told(driver, Request("GET", "https://h/", proxy="socks5://127.0.0.1:9")))


def test_a_host_that_nobody_serves_is_a_connect_error(driver: Driver) -> None:
    """In HTTP/1.0 too, where the transport is ours."""

    async def scenario() -> None:
        async with world() as address:
            pass
        for version in (HTTPVersion.H10, HTTPVersion.H11):
            with pytest.raises(httpx2.ConnectError):
                await driver.request(Request("GET", f"{address}/echo", version=version))

    run(scenario())
