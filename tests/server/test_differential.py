"""Our protocol beside uvicorn's: the battery, and drawn requests in drawn pieces."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from hypothesis import given, settings, strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from slipstream.server.http import HTTPProtocol
from tests.server.cases import CASES
from tests.server.test_battery import APP
from tests.server.wire import Connection, configured, statuses

UVICORN: dict[str, list[int]] = {
    # Connections (RFC 9112, 9.3): answers are not lost, and HTTP/1.0 may keep a connection.
    "1.0 that is kept": [200],
    "a fault after requests": [400],
    "after a 500": [500],
    # Expectations (RFC 9110, 10.1.1): none if the content is there, none of HTTP/1.0; others are refused.
    "expect, with the body": [100, 200],
    "expect, 1.0": [100, 200],
    "expect something else": [200],
    # Transfer codings (RFC 9112, 6.1): unknown ones are a 501, HTTP/1.0 has none.
    "gzip, then chunks": [200],
    "identity": [400],
    "xchunked": [400],
    "quoted chunked": [400],
    "chunks in 1.0": [200],
    "1.0, chunks without a host": [200],
    # Versions (RFC 9110, 15.6.6).
    "no version": [200],
    "0.9": [200],
    "1.2": [400],
    "2.0": [200],
    "3.0": [400],
    "HTTP/2's preface": [400],
    # Methods (RFC 9110, 9.1): one that is not known is a 501.
    "SSH": [400],
    "unknown method": [400],
    "method in small letters": [400],
    "authority": [400],
    # Targets (RFC 9112, 3.2).
    "fragment": [200],
    "asterisk, GET": [404],
    "absolute, no path": [400],
    "absolute, query only": [400],
    "absolute, bad host": [200],
    # Host (RFC 9112, 3.2): one, and a valid one.
    "no host": [200],
    "two hosts": [200],
    "the same host twice": [200],
    "host with a path": [200],
    "host with a user": [200],
    "host with a space": [200],
    "host with a comma and more": [200],
    "host with a question": [200],
    "host with a backslash": [200],
    "host that is not ASCII": [200],
    "host with a bad port": [200],
    "address of IPv6 without brackets": [200],
    # Upgrades (RFC 9110, 7.8): without the upgrade, body and connection are as usual.
    "an upgrade that is not done": [200],
    "an upgrade with a body": [200],
    "an upgrade with chunks": [200],
}
"""What uvicorn answers where we answer otherwise; the paragraph says why."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """uvicorn warns of each broken request."""
    logger = logging.getLogger("uvicorn.error")
    before, logger.disabled = logger.disabled, True
    yield
    logger.disabled = before


@pytest.mark.anyio
async def test_all_differences_over_the_battery_are_known() -> None:
    """A new one is a fault here or there."""
    config = configured(APP, HttpToolsProtocol)
    found = {}
    for name, case in CASES.items():
        connection = Connection(config)
        await connection.feed(case.sent)
        for _ in range(500):
            if connection.transport.written.count(b"HTTP/1.1 ") >= len(case.statuses):
                break
            await asyncio.sleep(0)
        await connection.settle()
        theirs = statuses(connection.transport.written, case.methods)
        connection.end()
        if theirs != case.statuses:
            found[name] = theirs

    assert found == UVICORN


class Recorder:
    """An ASGI app that notes what it is asked, and answers 200."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        kept = {name: value for name, value in scope.items() if name not in ("asgi", "state")}
        self.asked.append({**kept, "headers": list(scope["headers"]), "body": body})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def recorded(protocol: Any, pieces: list[bytes]) -> tuple[list[Any], list[int]]:
    """Return what an application was asked, and the statuses of the answers."""
    app = Recorder()
    connection = Connection(configured(app, protocol))
    await connection.feed(*pieces)
    await connection.settle()
    found = statuses(connection.transport.written)
    connection.end()
    await connection.settle()
    return app.asked, found


TOKENS = st.text("abcXYZ019-_!#$%&'*+.^`|~", min_size=1, max_size=8)
NAMES = TOKENS.filter(lambda name: name.lower() not in ("te", "host", "expect", "upgrade", "connection"))
VALUES = st.text('abc XYZ,;="/\t(){}\xe4', max_size=12).map(str.strip)
TARGETS = st.from_regex(r"/[a-zA-Z0-9/._~%!$&'()*+,;=:@-]{0,12}(\?[a-zA-Z0-9/%=&+]{0,8})?", fullmatch=True)
CHUNKS = st.lists(st.binary(min_size=1, max_size=9), max_size=3)


@st.composite
def requests(draw: Any) -> bytes:
    """Draw a valid request."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]))
    fields = [("Host", "a"), *draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))]
    body = b""
    match draw(st.sampled_from(["none", "length", "chunks"])):
        case "length":
            body = draw(st.binary(max_size=20))
            fields.append(("content-length", str(len(body))))
        case "chunks":
            fields.append(("Transfer-Encoding", "chunked"))
            body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in draw(CHUNKS)) + b"0\r\n\r\n"
    lines = [f"{method} {draw(TARGETS)} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@st.composite
def pieces(draw: Any, sent: Any) -> list[bytes]:
    """Draw cuts."""
    data = draw(sent)
    cuts = sorted(draw(st.sets(st.integers(1, max(len(data) - 1, 1)), max_size=6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if data[start:end]]


@given(pieces(st.lists(requests(), min_size=1, max_size=4).map(b"".join)))
@settings(deadline=None, max_examples=60)
def test_applications_are_asked_the_same(sent: list[bytes]) -> None:
    """Method, target, headers and body, in the same order, however the bytes come."""
    ours, theirs = (asyncio.run(recorded(protocol, sent)) for protocol in (HTTPProtocol, HttpToolsProtocol))

    assert ours == theirs
    assert ours == (asyncio.run(recorded(HTTPProtocol, [b"".join(sent)])))


@st.composite
def broken(draw: Any) -> bytes:
    """Draw requests of which a byte or two are others, more or fewer."""
    data = draw(st.lists(requests(), min_size=1, max_size=3).map(b"".join))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(data)))
        data = (
            data[:at]
            + draw(st.sampled_from([b"", b"\r", b"\n", b" ", b":", b"\0", b"x", b"0", b"\xff", b","]))
            + (data[at + draw(st.integers(0, 1)) :])
        )
    return data


class Counter:
    """Counts the requests that a parser finds whole."""

    count = 0

    def on_message_complete(self) -> None:
        self.count += 1


def found_whole(data: bytes) -> int:
    """Return how many requests httptools finds before it raises."""
    counter = Counter()
    with suppress(HttpParserError, HttpParserUpgrade):
        HttpRequestParser(counter).feed_data(data)
    return counter.count


@given(pieces(broken()))
@settings(deadline=None, max_examples=60)
def test_nothing_is_served_that_uvicorn_refuses(sent: list[bytes]) -> None:
    """An application is asked the same up to the fault, where uvicorn drops what waits; and no 5xx but 501 and 505."""
    (ours, answers), (theirs, _) = (
        asyncio.run(recorded(protocol, sent)) for protocol in (HTTPProtocol, HttpToolsProtocol)
    )

    assert ours[: len(theirs)] == theirs[: len(ours)]
    assert len(ours) <= found_whole(b"".join(sent))
    assert set(answers) <= {200, 400, 414, 417, 431, 501, 505}
