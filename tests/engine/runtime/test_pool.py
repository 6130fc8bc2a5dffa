"""The pool of worker threads does what anyio's does: nearly every test here is run on both."""

import asyncio
import contextvars
import gc
import importlib.util
import subprocess
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import anyio._backends._asyncio
import anyio.from_thread
import anyio.to_thread
import pytest
import sniffio
import uvloop

from slipstream._engine.runtime import pool as pool_module
from slipstream._engine.runtime.pool import Pool, current_pool
from slipstream._engine.runtime.threads import ThreadGenerator, in_one_thread, in_thread
from slipstream._foreign import anyio as anyio_private

pytestmark = pytest.mark.anyio

Run = Callable[[Callable[[], Any]], Awaitable[Any]]
SOON_S = 20

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def by_pool(call: Callable[[], Any]) -> Any:
    """Call in a worker of the pool."""
    pool = current_pool()
    assert pool is not None
    return await pool.run(call)


@pytest.fixture(params=[anyio.to_thread.run_sync, by_pool], ids=["anyio", "pool"])
def run(request: pytest.FixtureRequest) -> Run:
    """Call in a worker thread, by anyio and by the pool."""
    return request.param  # type: ignore[no-any-return]


async def at_rest(run: Run, workers: int) -> None:
    """Wait until so many workers of the pool are free: one tells of its call first, and lies down after."""
    pool = current_pool()
    assert pool is not None
    while run is by_pool and len(pool._idle) < workers:
        await asyncio.sleep(0)


class Held:
    """A call that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.go = threading.Event()
        self.log: list[str] = []

    def __call__(self) -> str:
        self.log.append("begins")
        anyio.from_thread.run_sync(self.begun.set)
        assert self.go.wait(SOON_S)
        self.log.append("ends")
        return "result"


# --- the limiter -----------------------------------------------------------------------------------------------------


async def test_never_more_calls_run_than_there_are_tokens(run: Run) -> None:
    """A burst of 200 with five tokens: five at once, and all in the end."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 5
    lock, running, most = threading.Lock(), 0, 0
    first = threading.Barrier(5)

    def call(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number < 5:
            first.wait(SOON_S)
        with lock:
            running -= 1
        return number

    results = await asyncio.gather(*(run(partial(call, number)) for number in range(200)))

    assert results == list(range(200))
    assert most == 5
    assert limiter.borrowed_tokens == 0


async def test_who_waits_for_a_token_is_served_in_order(run: Run) -> None:
    """First come, first served."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    order: list[int] = []

    await asyncio.gather(*(run(partial(order.append, number)) for number in range(50)))

    assert order == list(range(50))


async def test_tokens_may_be_added_and_taken_away_while_calls_run(run: Run) -> None:
    """Two calls that need each other: the second runs as soon as there is a token for it."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    both = threading.Barrier(2)
    meeting = asyncio.gather(run(partial(both.wait, SOON_S)), run(partial(both.wait, SOON_S)))
    while limiter.statistics().tasks_waiting == 0:
        await asyncio.sleep(0)

    limiter.total_tokens = 2
    await meeting
    limiter.total_tokens = 1

    assert await run(lambda: "one at a time") == "one at a time"


async def test_a_token_is_held_by_the_task_that_waits(run: Run) -> None:
    """`statistics()` says who; the same task cannot hold two."""
    limiter, held = anyio.to_thread.current_default_thread_limiter(), Held()
    task = asyncio.ensure_future(run(held))
    await held.begun.wait()

    statistics = limiter.statistics()
    held.go.set()
    await task

    assert statistics.borrowers == (task,)
    assert statistics.borrowed_tokens == 1
    assert limiter.statistics().borrowers == ()


async def test_a_task_may_be_cancelled_while_it_waits_for_a_token(run: Run) -> None:
    """Then its call is never made, and the others do not notice."""
    limiter, held, log = anyio.to_thread.current_default_thread_limiter(), Held(), list[str]()
    limiter.total_tokens = 1
    first = asyncio.ensure_future(run(held))
    await held.begun.wait()
    second, third = (asyncio.ensure_future(run(partial(log.append, name))) for name in ("second", "third"))
    while limiter.statistics().tasks_waiting < 2:
        await asyncio.sleep(0)

    second.cancel()
    held.go.set()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.gather(first, third)

    assert log == ["third"]


# --- cancellation ----------------------------------------------------------------------------------------------------


async def test_a_cancelled_scope_waits_for_the_call(run: Run) -> None:
    """The thread cannot be stopped, so the task stays with it; the cancellation comes at the next chance."""
    held = Held()
    got = []
    async with anyio.create_task_group() as tasks:

        async def request() -> None:
            got.append(await run(held))
            held.log.append("goes on")
            await anyio.sleep(0)
            held.log.append("never")

        tasks.start_soon(request)
        await held.begun.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            for _ in range(5):
                await anyio.sleep(0)
            held.log.append("is cancelled")
        held.go.set()

    assert held.log == ["begins", "is cancelled", "ends", "goes on"]
    assert got == ["result"]


async def test_a_cancelled_scope_gets_the_exception_of_the_call(run: Run) -> None:
    """It is not lost behind the cancellation."""
    held = Held()

    def fail() -> None:
        held()
        raise LookupError("gone")

    async def request() -> None:
        with pytest.raises(LookupError, match="gone"):
            await run(fail)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(request)
        await held.begun.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0)
        held.go.set()


async def test_in_a_scope_that_is_cancelled_already_no_call_is_made(run: Run) -> None:
    """A client that has left has nothing more done for it."""
    log: list[str] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await run(partial(log.append, "called"))

    assert log == []
    assert scope.cancelled_caught


async def test_a_task_that_is_cancelled_itself_leaves_its_call(run: Run) -> None:
    """`Task.cancel`, which `asyncio.timeout` uses too, waits for no thread; the token is free again."""
    held = Held()
    task = asyncio.ensure_future(run(held))
    await held.begun.wait()

    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await task
    free = anyio.to_thread.current_default_thread_limiter().borrowed_tokens
    held.go.set()

    assert free == 0
    assert await run(lambda: "next") == "next"


async def test_a_task_that_cancels_itself_makes_no_call(run: Run) -> None:
    """The exception comes at the first chance, which is before the call."""
    log: list[str] = []

    async def request() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await run(partial(log.append, "called"))

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(request())
    assert log == []


async def test_a_task_may_be_cancelled_by_a_scope_and_then_itself(run: Run) -> None:
    """The scope makes it wait, its own cancellation does not."""
    held = Held()
    scope = anyio.CancelScope()

    async def request() -> None:
        with scope:
            await run(held)

    task = asyncio.ensure_future(request())
    await held.begun.wait()
    scope.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    waits = not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.go.set()

    assert waits
    assert held.log[:1] == ["begins"]


async def test_a_deadline_is_kept_after_the_call(run: Run) -> None:
    """`fail_after` raises once the call is over."""
    held = Held()

    async def request() -> None:
        with pytest.raises(TimeoutError), anyio.fail_after(0):
            await run(held)

    async def request_in_time() -> None:
        with anyio.CancelScope() as scope:
            task = asyncio.current_task()
            assert task is not None
            scope.deadline = anyio.current_time() + 3600
            assert await run(lambda: "in time") == "in time"

    await request()
    await request_in_time()
    assert held.log == []


# --- what code in a worker sees --------------------------------------------------------------------------------------


async def test_context_variables_come_in_and_stay_there(run: Run) -> None:
    """Each call has a copy."""
    variable.set("of the request")

    def call() -> str:
        found = variable.get()
        variable.set("of the call")
        return found

    assert [await run(call), await run(call), variable.get()] == ["of the request"] * 3


async def test_a_worker_can_call_into_the_loop(run: Run) -> None:
    """`anyio.from_thread` finds the loop, and the task's context."""
    variable.set("of the request")

    async def in_loop(number: int) -> tuple[int, str, str]:
        await anyio.sleep(0)
        return number + 1, sniffio.current_async_library(), variable.get()

    def call() -> Any:
        return anyio.from_thread.run(in_loop, 1), anyio.from_thread.run_sync(asyncio.get_running_loop)

    assert await run(call) == ((2, "asyncio", "of the request"), asyncio.get_running_loop())


async def test_a_worker_can_ask_whether_the_request_is_cancelled(run: Run) -> None:
    """Long work may stop by itself."""
    held = Held()

    def call() -> None:
        anyio.from_thread.check_cancelled()
        held()
        anyio.from_thread.check_cancelled()
        held.log.append("never")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, call)
        await held.begun.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0)
        held.go.set()

    assert held.log == ["begins", "ends"]


async def test_a_call_into_the_loop_is_cancelled_with_the_request(run: Run) -> None:
    """What a worker waits for belongs to the scope of the task that waits for the worker."""
    waiting = anyio.Event()

    async def in_loop() -> None:
        waiting.set()
        await anyio.sleep_forever()

    raised = []

    def call() -> None:
        try:
            anyio.from_thread.run(in_loop)
        except BaseException as exc:
            raised.append(type(exc).__name__)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, call)
        await waiting.wait()
        tasks.cancel_scope.cancel()

    assert raised == ["CancelledError"]


async def test_no_loop_runs_in_a_worker(run: Run) -> None:
    """Libraries that look for one find none."""

    def call() -> list[str]:
        missing = []
        for look in (sniffio.current_async_library, asyncio.current_task, asyncio.get_running_loop):
            try:
                look()
            except (RuntimeError, sniffio.AsyncLibraryNotFoundError) as exc:
                missing.append(type(exc).__name__)
        return missing

    token = sniffio.current_async_library_cvar.set("asyncio")
    try:
        assert await run(call) == ["AsyncLibraryNotFoundError", "RuntimeError", "RuntimeError"]
    finally:
        sniffio.current_async_library_cvar.reset(token)


class Odd(BaseException):
    """Neither an Exception nor one that a loop knows."""


@pytest.mark.parametrize(
    "raised", [LookupError("gone"), Odd(), SystemExit(3), KeyboardInterrupt(), StopAsyncIteration()]
)
async def test_whatever_a_call_raises_comes_back(run: Run, raised: BaseException) -> None:
    """The very exception, with the way it took."""

    def fail() -> None:
        raise raised

    with pytest.raises(type(raised)) as caught:
        await run(fail)
    assert caught.value is raised
    assert caught.traceback[-1].name == "fail"


async def test_a_stop_iteration_comes_back_as_a_runtime_error(run: Run) -> None:
    """It cannot be raised out of a coroutine."""

    def fail() -> None:
        raise StopIteration("the end")

    with pytest.raises(RuntimeError, match="coroutine raised StopIteration") as caught:
        await run(fail)
    assert isinstance(caught.value.__cause__, StopIteration)


# --- threads ---------------------------------------------------------------------------------------------------------


async def test_a_call_that_blocks_holds_up_no_other(run: Run) -> None:
    """Each of these waits for all the others."""
    all_there = threading.Barrier(30)

    await asyncio.gather(*(run(partial(all_there.wait, SOON_S)) for _ in range(30)))
    await asyncio.gather(*(run(partial(all_there.wait, SOON_S)) for _ in range(30)))


async def test_a_call_that_comes_while_another_blocks_is_made(run: Run) -> None:
    """Whatever the worker that was woken last is doing."""
    held = [Held() for _ in range(5)]
    tasks = []
    for call in held:
        tasks.append(asyncio.ensure_future(run(call)))
        await call.begun.wait()
    for call in reversed(held):
        call.go.set()

    assert await asyncio.gather(*tasks) == ["result"] * 5


async def test_a_worker_that_is_free_is_taken_again(run: Run) -> None:
    """No thread is started while there are such."""
    both = threading.Barrier(2)

    def meet() -> int:
        both.wait(SOON_S)
        return threading.get_ident()

    threads = await asyncio.gather(run(meet), run(meet))
    later = set()
    for _ in range(10):
        await at_rest(run, len(threads))
        later.add(await run(threading.get_ident))

    assert later <= set(threads)


async def test_nothing_of_a_call_is_kept(run: Run) -> None:
    """A worker that waits for work must not hold the last result, argument or exception."""

    class Thing:
        pass

    async def use() -> list[weakref.ref[Any]]:
        thing, result = Thing(), await run(Thing)
        error = LookupError(thing)

        def fail() -> None:
            raise error

        with pytest.raises(LookupError):
            await run(fail)
        return [weakref.ref(found) for found in (thing, result)]

    references = await use()
    await run(int)
    await run(int)

    # A worker reports its call before it drops it, so on a busy machine it may hold the call a moment longer.
    while [reference() for reference in references] != [None, None]:
        gc.collect()
        await asyncio.sleep(0)


def threads_of(main: Callable[[], Awaitable[set[threading.Thread]]], factory: Any = None) -> set[threading.Thread]:
    """Run a loop; give the threads that worked for it."""
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())  # type: ignore[arg-type]


@pytest.mark.parametrize("factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_threads_end_with_the_loop(run: Run, factory: Any) -> None:
    """None is left of a hundred loops."""

    async def main() -> set[threading.Thread]:
        both = threading.Barrier(2)

        def meet() -> threading.Thread:
            both.wait(SOON_S)
            return threading.current_thread()

        return set(await asyncio.gather(run(meet), run(meet)))

    for _ in range(50):
        found = threads_of(main, factory)
        for thread in found:
            thread.join(SOON_S)

        assert len(found) == 2
        assert not any(thread.is_alive() for thread in found)
    assert pool_module._pools == {}


def test_a_loop_may_be_run_again(run: Run) -> None:
    """With other threads."""

    async def where() -> threading.Thread:
        found: threading.Thread = await run(threading.current_thread)
        return found

    with asyncio.Runner() as runner:
        threads = [runner.run(where()) for _ in range(3)]

    for thread in threads:
        thread.join(SOON_S)
        assert not thread.is_alive()


def test_a_loop_that_runs_for_ever_has_threads_for_as_long_as_it_needs_them(run: Run) -> None:
    """It has no root task; notebooks run such loops. Threads end with the task for which they began."""
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()

    async def where() -> threading.Thread:
        found: threading.Thread = await run(threading.current_thread)
        return found

    threads = [asyncio.run_coroutine_threadsafe(where(), loop).result(SOON_S) for _ in range(3)]
    for thread in threads:
        thread.join(SOON_S)
        assert not thread.is_alive()

    loop.call_soon_threadsafe(loop.stop)
    running.join(SOON_S)
    loop.close()
    assert pool_module._pools == {}


def test_two_loops_have_threads_of_their_own() -> None:
    """Each tells its own loop."""
    all_there = threading.Barrier(4)

    async def main() -> None:
        await asyncio.gather(by_pool(partial(all_there.wait, SOON_S)), by_pool(partial(all_there.wait, SOON_S)))

    others = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join(SOON_S)
        assert not thread.is_alive()


def test_a_call_that_outlives_its_loop_ends_in_silence(run: Run) -> None:
    """It was left by a task that was cancelled; there is nobody to tell."""
    go = threading.Event()

    async def main() -> threading.Thread:
        begun, found = anyio.Event(), list[threading.Thread]()

        def call() -> None:
            found.append(threading.current_thread())
            anyio.from_thread.run_sync(begun.set)
            go.wait(SOON_S)

        task = asyncio.ensure_future(run(call))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        return found[0]

    thread = asyncio.run(main())
    go.set()
    thread.join(SOON_S)

    assert not thread.is_alive()


def test_a_task_that_outlives_the_root_task_can_still_call() -> None:
    """Clean-up of tasks that `asyncio.run` cancels at its end."""
    log: list[str] = []

    async def background(ready: asyncio.Event) -> None:
        try:
            ready.set()
            await asyncio.Event().wait()
        finally:
            await by_pool(partial(log.append, "cleaned up"))

    async def main() -> asyncio.Task[None]:
        ready = asyncio.Event()
        task = asyncio.ensure_future(background(ready))
        await ready.wait()
        await by_pool(int)
        return task

    task = asyncio.run(main())

    assert task.cancelled()
    assert log == ["cleaned up"]
    assert pool_module._pools == {}


@pytest.mark.parametrize(
    "end",
    [
        "asyncio.run(main())",
        "asyncio.new_event_loop().run_until_complete(main())",
        "anyio.run(main)",
        "uvloop.run(main())",
    ],
)
def test_the_interpreter_does_not_wait_for_idle_workers(end: str) -> None:
    """It ends long before they would end by themselves, whatever became of the loop."""
    program = f"""
import asyncio, anyio, uvloop
from slipstream._engine.runtime.threads import in_thread
async def main():
    assert await in_thread(int) == 0
{end}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=SOON_S, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")


async def test_a_worker_without_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst leaves threads behind; they go, and come again when they are needed."""
    monkeypatch.setattr(pool_module, "IDLE_S", 0.001)
    for _ in range(3):
        threads = {await by_pool(threading.current_thread) for _ in range(20)}
        for thread in threads:
            await anyio.to_thread.run_sync(thread.join, SOON_S)
            assert not thread.is_alive()


async def test_workers_that_come_and_go_miss_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are about to end when they are rung, too."""
    monkeypatch.setattr(pool_module, "IDLE_S", 0.0)
    for _ in range(100):
        assert await asyncio.gather(*(by_pool(int) for _ in range(5))) == [0] * 5


async def test_where_no_thread_can_be_started_the_caller_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token is given back, and the next call is made if it can be."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await by_pool(int)

    assert anyio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    assert await by_pool(int) == 0


async def test_where_no_more_threads_can_be_started_those_there_are_do_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other."""
    await by_pool(int)
    pool = current_pool()
    assert pool is not None
    while not pool._idle:
        await asyncio.sleep(0)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert await asyncio.gather(*(by_pool(int) for _ in range(20))) == [0] * 20


# --- several calls in one hop ----------------------------------------------------------------------------------------


async def by_pool_in_one(calls: Callable[[Any], Any]) -> Any:
    pool = current_pool()
    assert pool is not None
    return await pool.run(calls, is_row=True)


async def by_anyio_in_one(calls: Callable[[Any], Any]) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "is_possible", False)
        waiting = in_one_thread(calls)
        return await waiting


@pytest.fixture(params=[by_pool_in_one, by_anyio_in_one], ids=["pool", "anyio"])
def run_row(request: pytest.FixtureRequest) -> Run:
    """Make several calls in one thread, by the pool and by anyio."""
    return request.param  # type: ignore[no-any-return]


async def test_calls_of_one_hop_share_the_thread_and_nothing_else(run_row: Any) -> None:
    """A variable that one sets is not seen by the next, as if each had a hop of its own."""
    variable.set("of the request")

    def call(name: str, *, more: str = "") -> tuple[str, int]:
        found = variable.get()
        variable.set(name + more)
        return found, threading.get_ident()

    def work(each: Any) -> Any:
        return [each(call, "first"), each(call, "second", more="!")], variable.get()

    ((first, here), (second, there)), after = await run_row(work)

    assert first == second == after == variable.get() == "of the request"
    assert here == there != threading.get_ident()


async def test_an_exception_ends_a_row_of_calls(run_row: Any) -> None:
    """Those behind are not made."""
    log: list[str] = []

    def fail() -> None:
        raise LookupError("gone")

    def work(each: Any) -> None:
        each(log.append, "first")
        each(fail)
        each(log.append, "never")

    with pytest.raises(LookupError, match="gone"):
        await run_row(work)
    assert log == ["first"]


async def test_a_cancelled_scope_ends_a_row_of_calls(run_row: Any) -> None:
    """The one that runs is waited for; where the next hop would have begun, the task is cancelled."""
    held = Held()

    def work(each: Any) -> None:
        each(held)
        each(held.log.append, "never")

    async with anyio.create_task_group() as tasks:

        async def request() -> None:
            try:
                await run_row(work)
            except asyncio.CancelledError:
                held.log.append("is cancelled")
                raise

        tasks.start_soon(request)
        await held.begun.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            for _ in range(3):
                await anyio.sleep(0)
        held.go.set()

    assert held.log == ["begins", "ends", "is cancelled"]
    assert tasks.cancel_scope.cancelled_caught


async def test_a_task_that_leaves_ends_its_row_of_calls() -> None:
    """The call that runs goes on alone; no other follows it."""
    held = Held()
    over = threading.Event()

    def work(each: Any) -> None:
        try:
            each(held)
            each(held.log.append, "never")
        finally:
            over.set()

    task = asyncio.ensure_future(by_pool_in_one(work))
    await held.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.go.set()
    await anyio.to_thread.run_sync(over.wait, SOON_S)

    assert held.log == ["begins", "ends"]


# --- clean-up --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_possible", [True, False], ids=["pool", "anyio"])
@pytest.mark.parametrize("how", ["leave", "athrow"])
async def test_clean_up_is_done_in_a_scope_that_is_cancelled(
    how: str, is_possible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has left; what the generator holds is given back before anything else happens."""
    monkeypatch.setattr(Pool, "is_possible", is_possible)
    log: list[str] = []

    def connection() -> Any:
        try:
            yield 1
        except LookupError:
            pass
        finally:
            log.append("closed")

    generator = ThreadGenerator(connection())
    await generator.__anext__()
    with anyio.CancelScope() as scope:
        scope.cancel()
        if how == "leave":
            await generator.leave()
        else:
            with pytest.raises(StopAsyncIteration):
                await generator.athrow(LookupError())
        log.append("goes on")
        await anyio.sleep(0)
        log.append("never")

    assert log == ["closed", "goes on"]


# --- where there is no pool ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_under_trio_there_is_no_pool() -> None:
    """The calls are anyio's."""
    assert current_pool() is None
    assert await in_thread(int, "3") == 3
    assert await in_one_thread(lambda each: each(int, "3")) == 3


async def test_without_a_pool_everything_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it did before there was one."""
    monkeypatch.setattr(Pool, "is_possible", False)

    assert current_pool() is None
    assert await in_thread(int, "12", base=3) == 5
    assert await in_one_thread(lambda each: each(int, "12", base=3)) == 5


@pytest.fixture
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which no pool has been opened yet."""
    monkeypatch.setattr(pool_module, "_pools", {})
    monkeypatch.setattr(Pool, "is_possible", True)


async def every_way() -> list[Any]:
    """Call in all ways in which generated text and its clean-up call."""
    log: list[Any] = []
    main = threading.main_thread()

    def connection() -> Any:
        try:
            yield "opened"
        finally:
            log.append("closed")

    generator = ThreadGenerator(connection())
    log.append(await generator.__anext__())
    log.extend(await asyncio.gather(*(in_thread(int, str(number)) for number in range(60))))
    log.append(await in_one_thread(lambda each: [each(int, "1"), each(threading.current_thread) is not main]))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await generator.leave()
    with pytest.raises(LookupError):
        await in_thread({}.__getitem__, 1)
    return log


EVERY_WAY = ["opened", *range(60), [1, True], "closed"]


@contextmanager
def nothing(*arguments: Any) -> Iterator[None]:
    yield


@contextmanager
def not_entered(*arguments: Any) -> Iterator[None]:
    raise ZeroDivisionError
    yield


def refuse(*arguments: Any) -> None:
    raise ZeroDivisionError


class Stateless(dict[Any, Any]):
    def get(self, *arguments: Any) -> Any:
        return object()


AWAY = object()
OTHERWISE: dict[str, dict[str, Any]] = {
    "_task_states": {"away": AWAY, "empty": {}, "of other things": Stateless(), "none": None},
    "find_root_task": {"away": AWAY, "other arguments": lambda loop: None, "none": lambda: None, "raises": refuse},
    "claim_worker_thread": {
        "away": AWAY,
        "fewer arguments": lambda loop: nothing(),
        "other result": lambda backend, loop: None,
        "does nothing": nothing,
        "cannot be entered": not_entered,
        "raises": refuse,
    },
    "AsyncIOBackend": {"away": AWAY, "another": object()},
    "threadlocals": {"away": AWAY, "others": threading.local(), "none": None},
}


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value, id=f"{name} {how}") for name, ways in OTHERWISE.items() for how, value in ways.items()],
)
async def test_where_a_private_name_of_anyios_is_another_thing_calls_go_through_anyio(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A release may move what has no public name, or give it other parameters: nothing hangs, and one line says why."""
    if value is AWAY:
        monkeypatch.delattr(anyio_private, name)
    else:
        monkeypatch.setattr(anyio_private, name, value)

    with anyio.fail_after(SOON_S):
        assert await every_way() == EVERY_WAY

    assert current_pool() is None
    assert [record.name for record in caplog.records] == ["slipstream"]
    assert "sync calls go through anyio's threads" in caplog.text


@pytest.mark.parametrize("name", ["_task_states", "find_root_task", "AsyncIOBackend"])
async def test_where_a_name_cannot_be_imported_the_module_can(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is imported all the same."""
    monkeypatch.delattr(anyio._backends._asyncio, name)
    spec = importlib.util.spec_from_file_location("another", str(anyio_private.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.undo()

    with pytest.raises(NameError):
        _ = module.probe(), module.root_task()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("setting_up", [nothing, not_entered, refuse], ids=["later", "in part", "not at all"])
async def test_calls_that_wait_for_a_worker_that_cannot_set_itself_up_go_through_anyio(
    setting_up: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever else fails in a worker: a call that no worker takes must not be waited for."""
    assert await in_thread(int) == 0
    pool = current_pool()
    assert pool is not None
    pool.close()
    monkeypatch.setattr(pool_module, "worker_of", setting_up)
    if setting_up is nothing:
        monkeypatch.setattr(pool_module, "work_in", refuse)

    with anyio.fail_after(SOON_S):
        assert await every_way() == EVERY_WAY
        assert await pool_of_old(pool) == "not taken"

    assert len(caplog.records) == 1
    assert anyio.to_thread.current_default_thread_limiter().borrowed_tokens == 0


async def pool_of_old(pool: Any) -> str:
    """Call in a pool that has failed while the call was on its way."""
    try:
        await pool.run(int)
    except pool_module.NotTaken:
        return "not taken"
    return "taken"


@pytest.mark.usefixtures("_fresh")
async def test_a_call_that_has_begun_is_made_once_when_its_worker_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody pays twice; the calls behind it are made by anyio's threads."""
    made: list[int] = []
    real = anyio_private.work_in

    def fail_after_the_call(scope: Any) -> None:
        real(scope)
        if made:
            raise ZeroDivisionError

    def pay() -> int:
        made.append(1)
        return len(made)

    monkeypatch.setattr(pool_module, "work_in", fail_after_the_call)
    with anyio.fail_after(SOON_S):
        first = await in_thread(pay)
        assert await in_thread(lambda: "behind") == "behind"

    assert (first, made) == (1, [1])
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("is_cleanup", [False, True])
async def test_a_cancelled_scope_does_not_wait_for_a_call_that_nobody_will_make(
    is_cleanup: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would wait in a shield, where nothing reaches it. Clean-up is made nevertheless, elsewhere."""
    pool: Any = current_pool()
    starting = threading.Event()

    def fail_when_told(loop: Any) -> None:
        assert starting.wait(SOON_S)
        raise ZeroDivisionError

    monkeypatch.setattr(pool_module, "worker_of", fail_when_told)
    ended: list[str] = []
    scope = anyio.CancelScope()

    async def call() -> None:
        try:
            with scope:
                await pool.run(int, is_cleanup=is_cleanup)
            ended.append("cancelled" if scope.cancelled_caught else "made")
        except pool_module.NotTaken:
            ended.append("not taken")

    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            while not pool._jobs:
                await asyncio.sleep(0)
            scope.cancel()
            for _ in range(5):  # until it waits in its shield
                await asyncio.sleep(0)
            assert ended == []
            starting.set()

    assert ended == ["not taken" if is_cleanup else "cancelled"]
    assert len(caplog.records) == 1


def test_an_application_answers_with_another_anyio() -> None:
    """The whole way, with a private function that takes other arguments from the start."""
    program = """
import anyio, sys
from anyio._core import _eventloop
import anyio._backends._asyncio
real = _eventloop.claim_worker_thread
_eventloop.claim_worker_thread = lambda loop: real(None, loop)
from slipstream import Depends, FastAPI
from slipstream.testclient import TestClient
app = FastAPI()
def session():
    yield 3
@app.get("/")
def read(value: int = Depends(session)) -> int:
    return value
with TestClient(app) as client:
    print([client.get("/").json() for _ in range(3)])
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=SOON_S, check=True, capture_output=True, text=True)

    assert done.stdout == "[3, 3, 3]\n"
    assert done.stderr.count("\n") == 1
    assert "slipstream's own pool cannot work with this anyio" in done.stderr


def test_without_sniffio_there_is_a_pool() -> None:
    """anyio needs it no longer from 4.12 on; before, it has it already."""
    program = """
import asyncio, sys
import anyio._backends._asyncio
sys.modules["sniffio"] = None
from slipstream._engine.runtime import pool
async def main():
    assert await pool.current_pool().run(int) == 0
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], timeout=SOON_S, check=True)
