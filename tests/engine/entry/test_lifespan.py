"""Start-up and shut-down: the protocol as Starlette's router speaks it, and contexts put together from parts."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from starlette.routing import Router

from slipstream._engine.entry.lifespan import as_context, from_events, lifespan, merge


class Server:
    """The server's side of one lifespan: two messages in, all answers kept."""

    def __init__(self, scope: dict[str, Any] | None = None) -> None:
        self.scope: dict[str, Any] = {"type": "lifespan", "app": "the app", "state": {}} if scope is None else scope
        self.sent: list[dict[str, Any]] = []
        self.left = ["lifespan.startup", "lifespan.shutdown"]

    async def receive(self) -> dict[str, Any]:
        return {"type": self.left.pop(0)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def serve(self, context: Any) -> "Server":
        anyio.run(lifespan, self.scope, self.receive, self.send, context, lambda: None)
        return self

    @property
    def types(self) -> list[str]:
        return [message["type"].removeprefix("lifespan.") for message in self.sent]


def noting(log: list[str], name: str, state: Any = None) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def context(app: Any) -> AsyncIterator[Any]:
        log.append(f"{name} starts")
        yield state
        log.append(f"{name} stops")

    return context


def test_start_and_stop_are_reported() -> None:
    """The server waits for both words."""
    log: list[str] = []

    server = Server().serve(noting(log, "a"))

    assert server.types == ["startup.complete", "shutdown.complete"]
    assert log == ["a starts", "a stops"]


def test_the_application_is_handed_to_the_context() -> None:
    """`lifespan(app)` gets what the scope names."""
    seen: list[Any] = []

    @asynccontextmanager
    async def context(app: Any) -> AsyncIterator[None]:
        seen.append(app)
        yield

    Server().serve(context)

    assert seen == ["the app"]


def test_state_is_merged_into_the_servers() -> None:
    """What the server put there stays."""
    server = Server({"type": "lifespan", "state": {"from": "server"}}).serve(noting([], "a", {"db": 1}))

    assert server.scope["state"] == {"from": "server", "db": 1}


def test_state_without_a_place_for_it_fails_the_start() -> None:
    """An old server gives no `state`; silence would surface later as a missing attribute."""
    server = Server({"type": "lifespan"})

    with pytest.raises(RuntimeError, match='does not support "state"'):
        server.serve(noting([], "a", {"db": 1}))

    assert server.types == ["startup.failed"]


@pytest.mark.parametrize("when", ["startup", "shutdown"])
def test_failures_are_told_with_their_traceback(when: str) -> None:
    """The server prints the message; without it a failing start is a riddle."""

    @asynccontextmanager
    async def context(app: Any) -> AsyncIterator[None]:
        if when == "startup":
            raise OSError("no database")
        yield
        raise OSError("no database")

    server = Server()
    with pytest.raises(OSError, match="no database"):
        server.serve(context)

    assert server.types == (["startup.failed"] if when == "startup" else ["startup.complete", "shutdown.failed"])
    assert "OSError: no database" in server.sent[-1]["message"]
    assert "Traceback" in server.sent[-1]["message"]


@pytest.mark.parametrize("state", [None, {"a": 1}])
@pytest.mark.parametrize("fails", ["never", "startup", "shutdown"])
def test_the_messages_are_starlettes(state: Any, fails: str) -> None:
    """One context, both protocols."""

    @asynccontextmanager
    async def context(app: Any) -> AsyncIterator[Any]:
        if fails == "startup":
            raise OSError
        yield state
        if fails == "shutdown":
            raise OSError

    def messages(serve: Any) -> tuple[Any, Any]:
        server = Server()
        try:
            anyio.run(serve, server.scope, server.receive, server.send)
        except OSError:
            pass
        return server.types, server.scope["state"]

    async def ours(scope: Any, receive: Any, send: Any) -> None:
        await lifespan(scope, receive, send, context, lambda: None)

    assert messages(ours) == messages(Router(lifespan=context).lifespan)


def test_every_form_of_lifespan_is_understood() -> None:
    """Factories of contexts, and the bare generator functions that older programs pass."""

    async def bare_async(app: Any) -> AsyncGenerator[Any]:
        yield {"form": "async"}

    def bare(app: Any) -> Generator[Any]:
        yield {"form": "sync"}

    class Manager:
        def __init__(self, app: Any) -> None: ...

        async def __aenter__(self) -> dict[str, Any]:
            return {"form": "class"}

        async def __aexit__(self, *exc: object) -> None: ...

    forms = [Server().serve(as_context(form)).scope["state"] for form in (bare_async, bare, Manager, None)]

    assert forms == [{"form": "async"}, {"form": "sync"}, {"form": "class"}, {}]


def test_a_sync_generator_sees_the_failure_of_the_application() -> None:
    """Its `finally` is where it cleans up."""
    log: list[str] = []

    def bare(app: Any) -> Generator[None]:
        try:
            yield
        except OSError:
            log.append("seen")
            raise
        finally:
            log.append("cleaned")

    async def main() -> None:
        async with as_context(bare)("app"):
            raise OSError

    with pytest.raises(OSError):
        anyio.run(main)

    assert log == ["seen", "cleaned"]


def test_the_inner_context_lives_within_the_outer() -> None:
    """A router's database pool may use what the application started."""
    log: list[str] = []

    Server().serve(merge(noting(log, "app"), noting(log, "router")))

    assert log == ["app starts", "router starts", "router stops", "app stops"]


STATES = st.none() | st.dictionaries(st.sampled_from("abc"), st.integers())


@given(outer=STATES, inner=STATES)
def test_merged_state_has_every_key_and_the_outer_value(outer: Any, inner: Any) -> None:
    """As FastAPI merges: the application's word counts against its routers'."""

    async def yielded() -> Any:
        async with merge(noting([], "a", outer), noting([], "b", inner))("app") as state:
            return state

    state = anyio.run(yielded)

    assert state == (None if outer is None and inner is None else {**(inner or {}), **(outer or {})})


def test_event_handlers_run_in_order_and_of_either_kind() -> None:
    """`on_event` handlers of old programs; sync ones in the loop's own thread."""
    log: list[str] = []

    async def waited() -> None:
        await anyio.sleep(0)
        log.append("async")

    startup: list[Callable[[], Any]] = [lambda: log.append("sync"), waited]
    Server().serve(from_events(startup, [lambda: log.append("bye")]))

    assert log == ["sync", "async", "bye"]


def test_handlers_may_be_added_until_the_start() -> None:
    """The lists are read when they are needed, for `app.on_event` may come after the context was made."""
    log: list[str] = []
    startup: list[Callable[[], Any]] = []
    context = from_events(startup, [])

    startup.append(lambda: log.append("late"))
    Server().serve(context)

    assert log == ["late"]


def test_a_failing_start_handler_fails_the_start() -> None:
    """And nothing is stopped that was not started."""
    log: list[str] = []

    def fail() -> None:
        raise OSError("no cache")

    server = Server()
    with pytest.raises(OSError, match="no cache"):
        server.serve(from_events([fail], [lambda: log.append("stopped")]))

    assert server.types == ["startup.failed"]
    assert log == []
