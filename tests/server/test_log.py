"""Lines of the access log."""

import asyncio
import io
import json
import logging
import time
from typing import Any

import pytest

from slipstream.server.limits import Settings
from slipstream.server.log import BatchedLog, LoggerLog, access_log_for
from tests.server.wire import Connection, configured

SCOPE: dict[str, Any] = {
    "client": ("127.0.0.1", 50000), "method": "GET", "path": "/a b", "raw_path": b"/a%20b", "query_string": b"x=1",
    "http_version": "1.1",
}  # fmt: skip


async def written(scope: dict[str, Any], *, is_json: bool = False, times: int = 1) -> str:
    """Return what a log writes of responses."""
    stream = io.StringIO()
    log = BatchedLog(stream, asyncio.get_running_loop(), is_json=is_json)
    for _ in range(times):
        log.note(scope, 200)
    log.flush()
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, '127.0.0.1:50000 - "GET /a%20b?x=1 HTTP/1.1" 200'),
        ({"query_string": b""}, '127.0.0.1:50000 - "GET /a%20b HTTP/1.1" 200'),
        ({"client": None}, ':0 - "GET /a%20b?x=1 HTTP/1.1" 200'),
        ({"raw_path": b'/"x\\'}, '127.0.0.1:50000 - "GET /%22x%5C?x=1 HTTP/1.1" 200'),
    ],
)
def test_a_line_says_who_has_asked_for_what(change: dict[str, Any], line: str) -> None:
    """Nothing of a target ends its quotes."""
    assert asyncio.run(written({**SCOPE, **change})) == f"INFO:     {line}\n"


@pytest.mark.parametrize("raw_path", [b"/a%20b", b'/"x\\'])
def test_a_line_of_json_is_json(raw_path: bytes) -> None:
    """Whatever the target has."""
    before = time.gmtime(time.time() - 1)

    line = json.loads(asyncio.run(written({**SCOPE, "raw_path": raw_path}, is_json=True)))

    assert line.pop("time") >= time.strftime("%Y-%m-%dT%H:%M:%S", before)
    assert line.pop("path").startswith("/")
    assert line == {"client": "127.0.0.1:50000", "method": "GET", "version": "1.1", "status": 200}


def test_lines_are_written_together() -> None:
    """A tenth of a second's, or 64 KiB, at once."""

    class Stream(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            Stream.writes += 1
            return super().write(text)

    async def main() -> None:
        log = BatchedLog(Stream(), asyncio.get_running_loop(), is_json=False)
        for _ in range(3000):
            log.note(SCOPE, 200)
        while log._lines:
            await asyncio.sleep(0.01)

    asyncio.run(main())

    assert 2 <= Stream.writes <= 5


def test_lines_are_written_when_the_last_connection_ends() -> None:
    """A server that stops may have no turn of its loop afterwards."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async def main() -> tuple[str, str]:
        stream = io.StringIO()
        connection = Connection(configured(app))
        connection.protocol.service.log = BatchedLog(stream, asyncio.get_running_loop(), is_json=False)
        await connection.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        before = stream.getvalue()
        connection.end()
        return before, stream.getvalue()

    assert asyncio.run(main()) == ("", 'INFO:     127.0.0.1:50000 - "GET / HTTP/1.1" 204\n')


def test_nobody_who_reads_is_no_error() -> None:
    """The other end of a pipe may be gone."""

    async def main() -> None:
        stream = io.StringIO()
        log = BatchedLog(stream, asyncio.get_running_loop(), is_json=False)
        log.note(SCOPE, 200)
        stream.close()
        log.flush()

    asyncio.run(main())


async def chosen(log_format: str, **options: Any) -> Any:
    """Return which log is chosen."""
    settings = Settings(log_format=log_format)
    return access_log_for(configured(print, **options), settings, asyncio.get_running_loop())


def test_a_log_that_nobody_reads_is_not_written() -> None:
    """It would cost each response something."""
    logger = logging.getLogger("uvicorn.access")
    before = logger.level
    logger.setLevel(logging.WARNING)

    assert asyncio.run(chosen("text", access_log=True)) is None
    assert asyncio.run(chosen("json", access_log=False)) is None
    logger.setLevel(before)


def test_a_logger_of_the_programs_own_gets_its_records() -> None:
    """Its handlers and filters are there for something."""
    logger = logging.getLogger("uvicorn.access")
    handler, before = logging.NullHandler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    assert isinstance(asyncio.run(chosen("text", access_log=True)), LoggerLog)
    logger.removeHandler(handler)
    logger.setLevel(before)
