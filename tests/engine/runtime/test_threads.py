"""Worker threads: calls and generators that block, with the context and the exceptions of the caller."""

import contextvars
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest

from slipstream._engine.errors import DidNotYield
from slipstream._engine.runtime.threads import ThreadGenerator, in_one_thread, in_thread, iterate

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_an_application_without_sync_calls_does_not_load_the_pool() -> None:
    """anyio's asyncio back end takes a twelfth of what importing this package takes."""
    program = (
        "import sys\n"
        "from slipstream import FastAPI\n"
        "FastAPI()\n"
        "print([name for name in sys.modules if name.startswith('anyio._backends') or name.endswith('.runtime.pool')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


async def test_a_call_runs_in_another_thread_with_its_arguments() -> None:
    """The loop must stay free while a sync endpoint works."""

    def where(*args: int, **kwargs: int) -> Any:
        return threading.get_ident(), args, kwargs

    thread, args, kwargs = await in_thread(where, 1, b=2)
    other, more, none = await in_thread(where, 1)

    assert threading.get_ident() not in (thread, other)
    assert (args, kwargs, more, none) == ((1,), {"b": 2}, (1,), {})


async def test_context_variables_are_carried_in() -> None:
    """Request ids and the like live there."""
    variable.set("of the request")

    assert await in_thread(variable.get) == "of the request"


async def test_an_exception_comes_back() -> None:
    """And is answered as one of an async endpoint would be."""

    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await in_thread(fail)


async def test_a_generator_steps_in_threads_and_ends_as_an_async_one() -> None:
    """It has the face of an async generator, so that one clean-up serves both."""
    threads = []

    def numbers() -> Iterator[int]:
        threads.append(threading.get_ident())
        yield 1
        threads.append(threading.get_ident())

    generator = ThreadGenerator(numbers())

    assert await generator.__anext__() == 1
    await generator.leave()
    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def test_a_generator_that_never_yields_is_an_error_that_names_it() -> None:
    """From a worker as from the loop, in a row of calls or alone."""

    def nothing() -> Iterator[int]:
        yield from ()

    with pytest.raises(DidNotYield, match="nothing"):
        await ThreadGenerator(nothing()).__anext__()
    with pytest.raises(DidNotYield, match="nothing"):
        await in_one_thread(lambda each: each(ThreadGenerator(nothing()).enter))


async def test_what_a_decorator_gave_in_place_of_a_generator_is_named_by_its_class() -> None:
    """Decorators copy the look of a generator function and return what they like."""
    given: Any = iter([])

    with pytest.raises(DidNotYield, match="`list_iterator` did not yield for this request\n  at list_iterator\n"):
        await ThreadGenerator(given).__anext__()


async def test_a_generator_that_swallows_what_is_thrown_in_ends() -> None:
    """StopIteration cannot cross from a thread; StopAsyncIteration says the same."""

    def swallowing() -> Iterator[int]:
        try:
            yield 1
        except ValueError:
            pass

    generator = ThreadGenerator(swallowing())
    await generator.__anext__()

    with pytest.raises(StopAsyncIteration):
        await generator.athrow(ValueError())


async def test_leaving_runs_a_generator_to_its_end() -> None:
    """One that yields again has not understood; it is told so."""
    left = []

    def once() -> Iterator[int]:
        yield 1
        left.append(True)

    def twice() -> Iterator[int]:
        yield 1
        yield 2

    good, bad = ThreadGenerator(once()), ThreadGenerator(twice())
    await good.__anext__()
    await bad.__anext__()

    await good.leave()
    with pytest.raises(RuntimeError, match="didn't stop"):
        await bad.leave()
    assert left == [True]


async def test_clean_up_never_waits_for_the_threads_that_wait_for_it() -> None:
    """All threads taken by calls that need a connection, and the one who holds it cannot give it back: a deadlock."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    before, limiter.total_tokens = limiter.total_tokens, 1
    released, held = threading.Event(), anyio.Event()

    def connection() -> Iterator[int]:
        yield 1
        released.set()

    def needs_it() -> None:
        anyio.from_thread.run_sync(held.set)
        released.wait()

    generator = ThreadGenerator(connection())
    await generator.__anext__()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_thread, needs_it)
            await held.wait()
            await generator.leave()
    finally:
        limiter.total_tokens = before

    assert released.is_set()


async def test_items_of_a_blocking_generator_come_one_by_one() -> None:
    """None among them too: it is a value, not the end."""
    assert [item async for item in iterate(iter([1, None, 2]))] == [1, None, 2]


def noting(log: list[Any]) -> Iterator[int]:
    try:
        yield 1
        yield 2
    finally:
        log.append(threading.get_ident())


async def test_a_blocking_generator_that_is_left_is_closed_at_once() -> None:
    """Where it blocks, in a worker; not when the garbage collector comes by."""
    log: list[Any] = []
    items = iterate(noting(log))

    assert await anext(items) == 1
    await items.aclose()

    assert log != []
    assert threading.get_ident() not in log


async def test_a_blocking_generator_is_closed_though_its_request_is_cancelled() -> None:
    """The client has left; what the generator holds is given back all the same."""
    log: list[Any] = []
    held = iterate(noting(log))
    with anyio.CancelScope() as scope:
        await anext(held)
        scope.cancel()
        await anext(held)

    assert len(log) == 1
