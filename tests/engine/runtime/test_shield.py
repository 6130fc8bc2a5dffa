"""Cancelled requests: every dependency is closed to its end, also those that hold cancel scopes open."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from slipstream import Depends, FastAPI, Response
from slipstream._engine.runtime.cleanup import ShieldedGenerator, open_shield
from slipstream._engine.signature.kinds import may_hold_scopes

Log = list[str]
Dependency = Callable[[], AsyncIterator[None] | Iterator[None]]


def plain(log: Log, name: str) -> Dependency:
    """Hold nothing open."""

    async def dependency() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await anyio.sleep(0)
            log.append(name)

    return dependency


def scope(log: Log, name: str) -> Dependency:
    """Hold a cancel scope open."""

    async def dependency() -> AsyncIterator[None]:
        try:
            with anyio.CancelScope():
                yield
        finally:
            await anyio.sleep(0)
            log.append(name)

    return dependency


def group(log: Log, name: str) -> Dependency:
    """Hold a task group open, and cancel it at the end: it takes any cancellation for its own."""

    async def dependency() -> AsyncIterator[None]:
        try:
            async with anyio.create_task_group() as tasks:
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            await anyio.sleep(0)
            log.append(name)

    return dependency


def timed(log: Log, name: str) -> Dependency:
    """Give its own clean-up only some time: the shield is against cancellation from outside."""

    async def dependency() -> AsyncIterator[None]:
        try:
            yield
        finally:
            with anyio.move_on_after(0):
                await anyio.sleep_forever()
            await anyio.sleep(0)
            log.append(name)

    return dependency


def blocking(log: Log, name: str) -> Dependency:
    """Run in worker threads."""

    def dependency() -> Iterator[None]:
        try:
            yield
        finally:
            log.append(name)

    return dependency


KINDS: dict[str, Callable[[Log, str], Dependency]] = {
    "plain": plain,
    "scope": scope,
    "group": group,
    "timed": timed,
    "blocking": blocking,
}


def application(kinds: list[str], lifetime: Any, log: Log, cancel: Callable[[], Any] | None) -> FastAPI:
    """Make an endpoint with dependencies of these kinds, which may cancel its own request."""
    app = FastAPI()
    dependencies = [Depends(KINDS[kind](log, str(number)), scope=lifetime) for number, kind in enumerate(kinds)]

    @app.get("/", dependencies=dependencies)
    async def endpoint() -> Response:
        if cancel is not None:
            cancel()
            await anyio.sleep(0)
        return Response()

    return app


SCOPE: dict[str, Any] = {
    "type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "root_path": "",
}  # fmt: skip


async def request(app: FastAPI) -> list[int]:
    """Send one request; returns the statuses of what was answered."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(dict(SCOPE), receive, send)
    return [message["status"] for message in sent if "status" in message]


lifetimes = st.sampled_from(["function", "request"])


@settings(max_examples=60, deadline=None)
@given(story=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5), lifetime=lifetimes)
def test_a_cancelled_request_closes_everything_in_reverse(story: list[str], lifetime: str) -> None:
    """A scope that is left in any other order than that of entering breaks every scope around it."""
    log: Log = []

    async def main() -> bool:
        with anyio.CancelScope() as outside:
            await request(application(story, lifetime, log, outside.cancel))
        return outside.cancelled_caught

    assert anyio.run(main)
    assert log == [str(number) for number in reversed(range(len(story)))]


@pytest.mark.anyio
@pytest.mark.parametrize("lifetime", ["function", "request"])
async def test_a_task_of_a_cancelled_dependency_ends_before_its_clean_up(lifetime: Any) -> None:
    """Whatever the task uses must still be there while it ends."""
    log: Log = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("task ended")

    async def dependency() -> AsyncIterator[None]:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(work)
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            await anyio.sleep(0)
            log.append("closed")

    app = FastAPI()
    with anyio.CancelScope() as outside:

        @app.get("/", dependencies=[Depends(dependency, scope=lifetime)])
        async def endpoint() -> None:
            outside.cancel()
            await anyio.sleep(0)

        await request(app)

    assert outside.cancelled_caught
    assert log == ["task ended", "closed"]


@settings(max_examples=60, deadline=None)
@given(story=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5), lifetime=lifetimes)
def test_a_request_that_is_not_cancelled_is_answered(story: list[str], lifetime: str) -> None:
    """The scope that stands ready must not be felt, nor be left open."""
    log: Log = []
    app = application(story, lifetime, log, None)

    async def ask() -> list[int]:
        with anyio.CancelScope():  # to leave it, everything within must have been left
            return await request(app)

    assert anyio.run(ask) == [200]
    assert log == [str(number) for number in reversed(range(len(story)))]


@pytest.mark.anyio
async def test_cancellation_while_a_dependency_is_closed_waits_for_its_end() -> None:
    """The response is sent already; the transaction must still be ended in order."""
    log: Log = []
    app = FastAPI()
    outside = anyio.CancelScope()

    async def dependency() -> AsyncIterator[None]:
        async with anyio.create_task_group():
            yield
        outside.cancel()
        await anyio.sleep(0)
        log.append("closed")

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint() -> None: ...

    with outside:
        await request(app)

    assert outside.cancelled_caught
    assert log == ["closed"]


@pytest.mark.anyio
async def test_a_shielded_generator_that_yields_twice_is_a_fault() -> None:
    """As it is for any context manager."""

    async def twice() -> AsyncIterator[int]:
        yield 1
        yield 2

    exits: list[Any] = []
    generator = ShieldedGenerator(twice(), open_shield(exits))
    await generator.__anext__()

    with pytest.raises(RuntimeError, match="didn't stop"):
        await generator.leave()
    await exits.pop().leave()


class Resource:
    async def __call__(self) -> AsyncIterator[None]:
        yield


async def delegating() -> AsyncIterator[None]:
    async for item in Resource()():
        yield item


async def by_hand() -> AsyncIterator[None]:
    tasks = anyio.create_task_group()
    await tasks.__aenter__()
    yield


@pytest.mark.parametrize(
    ("call", "may"),
    [
        pytest.param(plain([], ""), False, id="function without with"),
        pytest.param(Resource(), False, id="object without with"),
        pytest.param(partial(plain([], "")), False, id="partial without with"),
        pytest.param(scope([], ""), True, id="with"),
        pytest.param(group([], ""), True, id="async with"),
        pytest.param(partial(group([], "")), True, id="partial with"),
        pytest.param(delegating, True, id="steps through another"),
        pytest.param(by_hand, True, id="enters by hand"),
        pytest.param(len, True, id="no code to read"),
    ],
)
def test_only_what_could_hold_a_scope_open_is_given_one(call: Any, may: bool) -> None:
    """A scope costs about as much as the rest of a small request; a plain try/finally needs none."""
    assert may_hold_scopes(call) is may
