"""How a worker's connections end; the worker itself is in test_supervise."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from slipstream import FastAPI
from slipstream.cli.workers import usable_cores
from slipstream.server.limits import VARIABLE, Settings
from slipstream.server.service import service_for
from slipstream.server.worker import close_idle
from tests.server.wire import Connection, configured, statuses

pytestmark = pytest.mark.anyio

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"connection: close"


def application() -> FastAPI:
    """Make a program whose handler waits until `app.state.go` is set."""
    app = FastAPI()
    app.state.go = asyncio.Event()

    @app.get("/")
    async def home() -> str:
        return "here"

    @app.get("/wait")
    async def wait() -> str:
        await app.state.go.wait()
        return "waited"

    return app


def service_of(connection: Connection) -> Any:
    return connection.protocol.service


async def test_an_idle_connection_gets_one_response_more() -> None:
    """Its client may have sent a request before it can know that the server ends."""
    connection = Connection(configured(application()))
    await connection.feed(REQUEST)
    service_of(connection).drain()
    assert connection.fate == "open"
    before = len(connection.transport.written)

    await connection.feed(REQUEST)

    assert statuses(connection.transport.written) == [200, 200]
    assert CLOSE not in connection.transport.written[:before]
    assert CLOSE in connection.transport.written[before:]
    assert connection.fate == "closed"


async def test_a_connection_made_while_draining_gets_one_response() -> None:
    """The kernel had accepted it before."""
    config = configured(application())
    first = Connection(config)
    service_of(first).drain()

    late = Connection(config, first.state)
    await late.feed(REQUEST)

    assert statuses(late.transport.written) == [200]
    assert CLOSE in late.transport.written


async def test_the_response_under_way_says_that_it_is_the_last() -> None:
    """Its handler was waiting when the drain began."""
    app = application()
    connection = Connection(configured(app))
    await connection.feed(REQUEST.replace(b"/", b"/wait", 1))
    assert not connection.protocol.is_idle

    service_of(connection).drain()
    app.state.go.set()
    await connection.settle()

    assert CLOSE in connection.transport.written
    assert connection.fate == "closed"


async def test_requests_that_have_come_together_are_all_answered() -> None:
    """Only the last of them says that the connection ends."""
    app = application()
    connection = Connection(configured(app))
    await connection.feed(REQUEST.replace(b"/", b"/wait", 1) + REQUEST * 2)

    service_of(connection).drain()
    app.state.go.set()
    await connection.settle()

    written = connection.transport.written
    assert statuses(written)[-1] == 200
    assert written.count(CLOSE) == 1
    assert connection.fate == "closed" or connection.fate == "shut"


async def test_what_the_kernel_has_got_is_not_closed_over() -> None:
    """A connection that is closed over an unread request is reset, and the request lost."""

    def connection(sock: socket.socket, *, is_idle: bool = True) -> Any:
        made = SimpleNamespace(is_idle=is_idle, is_closed=False, transport=SimpleNamespace(
            get_extra_info=lambda name: sock
        ))  # fmt: skip

        def shutdown() -> None:
            made.is_closed = True
            made.is_idle = False

        made.shutdown = shutdown
        return made

    pairs = [socket.socketpair() for _ in range(3)]
    asking, silent, busy = (connection(ours, is_idle=i < 2) for i, (ours, _) in enumerate(pairs))
    pairs[0][1].send(REQUEST)

    await close_idle(SimpleNamespace(connections=[asking, silent, busy]))  # type: ignore[arg-type]  # what is used
    for both in pairs:
        for each in both:
            each.close()

    assert (asking.is_closed, silent.is_closed, busy.is_closed) == (False, True, False)


async def test_health_is_answered_without_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness ends with the beginning of the drain, liveness does not."""
    with monkeypatch.context() as patch:
        patch.setenv(VARIABLE, "")
        Settings(health=("/livez", "/readyz")).to_environment()
        connection = Connection(configured(application()))
        live, ready = (REQUEST.replace(b"/", path, 1) for path in (b"/livez", b"/readyz"))

        await connection.feed(live, ready, REQUEST)
        service_of(connection).drain()
        late = Connection(configured(application()))
        service_for(late.protocol.service.config, late.state, {}, asyncio.get_running_loop()).drain()
        await late.feed(ready)

    assert statuses(connection.transport.written) == [200, 200, 200]
    assert statuses(late.transport.written) == [503]


async def test_a_container_quota_bounds_the_cores(tmp_path: Any) -> None:
    """`--workers auto` in a container with two cores of a machine with 64."""
    quota = tmp_path / "cpu.max"

    found = []
    for text in ("100000 100000\n", "50000 100000\n", "max 100000\n"):
        quota.write_text(text)
        found.append(usable_cores(quota))

    assert found[:2] == [1, 1]
    assert found[2] == usable_cores(tmp_path / "none") >= 1
