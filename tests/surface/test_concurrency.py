"""Blocking context managers in threads."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import ref

import anyio
import anyio.to_thread
import pytest

from slipstream.concurrency import ConcurrencyLimit, contextmanager_in_threadpool

pytestmark = pytest.mark.anyio


class Recorder:
    def __init__(self, *, swallow: bool = False) -> None:
        self.seen: list[str] = []
        self.swallow = swallow

    @contextmanager
    def open(self) -> Iterator[int]:
        self.seen.append("enter" if threading.current_thread() is not threading.main_thread() else "loop")
        try:
            yield 7
        except Exception as exc:
            self.seen.append(type(exc).__name__)
            if not self.swallow:
                raise
        finally:
            self.seen.append("exit" if threading.current_thread() is not threading.main_thread() else "loop")


async def test_it_is_entered_and_left_in_a_thread() -> None:
    """The event loop stays free."""
    recorder = Recorder()

    async with contextmanager_in_threadpool(recorder.open()) as value:
        assert value == 7

    assert recorder.seen == ["enter", "exit"]


@pytest.mark.parametrize("swallow", [True, False])
async def test_an_exception_is_thrown_into_it(swallow: bool) -> None:
    """It decides whether the exception goes on."""
    recorder = Recorder(swallow=swallow)
    caught = False

    try:
        async with contextmanager_in_threadpool(recorder.open()):
            raise ValueError
    except ValueError:
        caught = True

    assert recorder.seen == ["enter", "ValueError", "exit"]
    assert caught is not swallow


async def test_leaving_needs_no_free_worker() -> None:
    """Workers that all wait for what it holds would otherwise wait for ever."""
    released = threading.Event()
    limiter = anyio.to_thread.current_default_thread_limiter()
    usual, limiter.total_tokens = limiter.total_tokens, 2

    @contextmanager
    def hold() -> Iterator[None]:
        yield
        released.set()

    try:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks, contextmanager_in_threadpool(hold()):
                for _ in range(2):
                    tasks.start_soon(anyio.to_thread.run_sync, released.wait)
                await anyio.wait_all_tasks_blocked()
    finally:
        limiter.total_tokens = usual

    assert released.is_set()


async def test_leaving_is_not_cancelled() -> None:
    """A request that goes away must not leave a transaction open."""
    recorder = Recorder()

    with anyio.CancelScope() as scope:
        async with contextmanager_in_threadpool(recorder.open()):
            scope.cancel()
            await anyio.sleep_forever()

    assert recorder.seen == ["enter", "exit"]


async def test_a_limit_goes_when_its_declaration_goes() -> None:
    """However long the loop runs."""
    limit = ConcurrencyLimit(1)
    semaphore = ref(limit.get_semaphore())

    del limit
    gc.collect()

    assert semaphore() is None
