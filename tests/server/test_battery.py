"""Our protocol over all cases of `cases.py`: as they are, cut at every byte, and over sockets with a second client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from slipstream import FastAPI, Request, Response
from slipstream.responses import StreamingResponse
from tests.server.cases import CASES, LONG, Case
from tests.server.test_http import exchange, served
from tests.server.wire import Connection, configured, statuses

pytestmark = pytest.mark.anyio


def application() -> FastAPI:
    """What the cases ask for."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    async def home() -> str:
        return "home"

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    @app.head("/any")
    async def any_head() -> str:
        return "any"

    @app.get("/nothing", status_code=204)
    async def nothing() -> None: ...

    @app.get("/unchanged")
    async def unchanged() -> Response:
        return Response(status_code=304, headers={"etag": "x"})

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        return StreamingResponse(parts())

    @app.get("/large")
    async def large() -> str:
        return "x" * 300_000

    @app.get("/fails")
    async def fails() -> None:
        raise LookupError("trouble")

    return app


async def through_messages(scope: Any, receive: Any, send: Any) -> None:
    """The same application, which the protocol does not know as one of ours."""
    await APP(scope, receive, send)


APP = application()
DOORS = {"direct": APP, "asgi": through_messages}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", [*CASES, *LONG])
async def test_each_case_has_its_answers(name: str, door: str) -> None:
    """Sent in one piece."""
    case = {**CASES, **LONG}[name]

    assert await outcome(door, case, [case.sent]) == (case.statuses, case.fate)


@pytest.mark.parametrize("name", CASES)
async def test_no_cut_makes_a_difference(name: str) -> None:
    """TCP may deliver a request in any pieces."""
    case = CASES[name]

    for at in range(1, len(case.sent)):
        found, fate = await outcome("direct", case, [case.sent[:at], case.sent[at:]])
        assert [status for status in found if status != 100] == case.statuses, at
        assert fate == case.fate or (fate, case.fate) == ("closed", "shut"), at  # if nothing more has come by then


@pytest.mark.parametrize("name", ["two", "chunks", "trailer", "length and chunks", "a fault after requests"])
async def test_bytes_may_come_one_by_one(name: str) -> None:
    """From the slowest of clients."""
    case = CASES[name]
    pieces = [case.sent[at : at + 1] for at in range(len(case.sent))]

    assert await outcome("asgi", case, pieces) == (case.statuses, case.fate)


async def outcome(door: str, case: Case, pieces: list[bytes]) -> tuple[list[int], str]:
    """Return statuses of the answers, and what has become of the connection."""
    config = CONFIGS.setdefault(door, configured(DOORS[door]))
    connection = Connection(config)
    await connection.feed(*pieces)
    for _ in range(2000):  # what was read is served by and by
        if connection.transport.written.count(b"HTTP/1.1 ") >= len(case.statuses):
            break
        await asyncio.sleep(0)
    await connection.settle()
    found = statuses(connection.transport.written, case.methods), connection.fate
    connection.end()
    return found


CONFIGS: dict[str, Any] = {}


async def test_a_second_client_notices_nothing() -> None:
    """One connection, kept through all cases, gets its answers in time while others send them over sockets."""
    calm = b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n"
    async with served(APP) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for name, case in {**CASES, **LONG}.items():
            if case.fate == "open":
                continue
            hostile = asyncio.create_task(exchange(port, case.sent))
            writer.write(calm)
            async with asyncio.timeout(5):
                assert await reader.readuntil(b"\r\n\r\n1") != b"", name
            received = await hostile
            assert statuses(received, case.methods) == case.statuses, name
        writer.close()
        await writer.wait_closed()
