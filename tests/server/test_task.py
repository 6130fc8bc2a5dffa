"""A task whose first step is taken at once must not be told from one of asyncio's own."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from types import coroutine
from typing import Any

import anyio
import pytest

from slipstream.server import task
from slipstream.server.task import begin
from tests.loops import LOOPS

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


async def outcome_of(coro: Coroutine[Any, Any, Any], *, cancels: int = 0) -> Any:
    """Run a coroutine by `begin`, from a callback of the loop as requests are; return what it raises or returns."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()
    begun: list[Any] = []

    def start() -> None:
        begun.append(begin(coro, contextvars.copy_context(), loop, lambda *found: ended.set_result(found)))

    loop.call_soon(start)
    for _ in range(cancels):
        await asyncio.sleep(0.001)
        begun[0].cancel("why")
    error, result = await ended
    if begun[0] is not None:
        await asyncio.sleep(0)
        assert begun[0].done()
    return f"{type(error).__name__}: {error}" if error is not None else result


async def outcome_under_asyncio(coro: Coroutine[Any, Any, Any], *, cancels: int = 0) -> Any:
    """Run a coroutine as a task of asyncio's own; return what it raises or returns."""
    running = asyncio.get_running_loop().create_task(coro)
    for _ in range(cancels):
        await asyncio.sleep(0.001)
        running.cancel("why")
    try:
        return await running
    except BaseException as error:
        return f"{type(error).__name__}: {error}"


async def at_once() -> str:
    return "done"


async def turns() -> list[int]:
    return [await asyncio.sleep(0, number) for number in range(3)]


async def fails() -> None:
    await asyncio.sleep(0)
    raise LookupError("trouble")


async def stays_itself() -> bool:
    first = asyncio.current_task()
    await asyncio.sleep(0.001)
    await asyncio.to_thread(int)
    return first is asyncio.current_task() and first in asyncio.all_tasks()


async def times_out() -> str:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)
    except TimeoutError:
        return f"timeout, {asyncio.current_task().cancelling()}"  # type: ignore[union-attr]  # within a task
    return "none"


async def times_out_before_it_waits() -> str:
    try:
        async with asyncio.timeout(0):
            await asyncio.sleep(60)
    except TimeoutError:
        return "timeout"
    return "none"


async def in_a_scope() -> list[Any]:
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep(60)
    with anyio.CancelScope() as other:
        other.cancel()
        await anyio.lowlevel.checkpoint()
    return [scope.cancelled_caught, other.cancelled_caught]


async def in_groups() -> list[int]:
    found = []

    async def child(number: int) -> None:
        await asyncio.sleep(0)
        found.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(child(number))
    async with anyio.create_task_group() as others:
        others.start_soon(child, 7)
    return found


async def in_a_group_that_fails() -> str:
    async def child() -> None:
        raise LookupError("trouble")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.sleep(60)
    except ExceptionGroup as errors:
        return str(errors.exceptions)
    return "none"


async def survives_a_cancellation() -> str:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        asyncio.current_task().uncancel()  # type: ignore[union-attr]  # within a task
        return f"{error.args} {await asyncio.sleep(0, 'on')}"
    return "none"


async def waits_twice() -> str:
    for _ in range(2):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue
    return "both"


async def shields() -> Any:
    return await asyncio.shield(asyncio.ensure_future(asyncio.sleep(0.001, "shielded")))


async def cancels_itself() -> None:
    asyncio.current_task().cancel("myself")  # type: ignore[union-attr]  # within a task
    await asyncio.sleep(60)


@coroutine
def yields_a_number() -> Any:
    yield 1


@coroutine
def yields_a_future() -> Any:
    yield asyncio.get_running_loop().create_future()


async def waits_for_nothing_known() -> None:
    await yields_a_number()


async def yields_where_it_should_await() -> None:
    await yields_a_future()


async def waits_for_itself() -> None:
    await asyncio.current_task()  # type: ignore[misc]  # which is an error


Program = Callable[[], Coroutine[Any, Any, Any]]
PROGRAMS: list[tuple[Program, int]] = [
    (at_once, 0), (turns, 0), (fails, 0), (stays_itself, 0), (times_out, 0), (times_out_before_it_waits, 0),
    (in_a_scope, 0), (in_groups, 0), (in_a_group_that_fails, 0), (survives_a_cancellation, 1), (waits_twice, 2),
    (shields, 0), (shields, 1), (cancels_itself, 0), (waits_for_nothing_known, 0), (yields_where_it_should_await, 0),
    (waits_for_itself, 0),
]  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("program", "cancels"), PROGRAMS, ids=[f"{program.__name__}-{cancels}" for program, cancels in PROGRAMS]
)
def test_a_coroutine_ends_as_in_a_task(program: Program, cancels: int, loop: Any) -> None:
    """Whatever it does with tasks, timeouts, scopes and groups."""

    def shown(found: Any) -> Any:
        # asyncio has other words for each wrong yield
        return "RuntimeError" if str(found).startswith("RuntimeError") else found

    def run(outcome: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(outcome)

    theirs = run(outcome_under_asyncio(program(), cancels=cancels))

    assert shown(run(outcome_of(program(), cancels=cancels))) == shown(theirs)


async def sets_and_waits(seen: list[str]) -> None:
    seen.append(variable.get())
    variable.set("first")
    await asyncio.sleep(0)
    seen.append(variable.get())


def test_context_variables_are_its_own() -> None:
    """What a request sets is not there for the next."""

    async def main() -> list[str]:
        seen: list[str] = []
        await outcome_of(sets_and_waits(seen))
        await outcome_of(sets_and_waits(seen))
        return [*seen, variable.get()]

    assert asyncio.run(main()) == ["none", "first", "none", "first", "none"]


def test_a_task_that_is_running_comes_to_its_pause_first() -> None:
    """Where the transport calls from within a task, as in tests, the first step has to wait."""

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()
        begun = begin(at_once(), contextvars.copy_context(), loop, lambda *found: ended.set_result(found))
        assert not ended.done()
        return [begun is None, await ended]

    assert asyncio.run(main()) == [False, (None, "done")]


def test_the_end_of_the_loop_cancels_what_waits() -> None:
    """`asyncio.run` cancels all tasks that it knows."""
    told = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: begin(waits(), contextvars.copy_context(), loop, lambda *_: told.append("ended")))
        await asyncio.sleep(0.001)

    asyncio.run(main())

    assert told == ["cancelled", "ended"]


@pytest.mark.parametrize("program", [at_once, fails, in_a_scope])
def test_without_asyncios_functions_a_task_of_its_own_serves(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Python may have them no more."""
    monkeypatch.setattr(task, "IN_PLACE", False)

    assert asyncio.run(outcome_of(program())) == asyncio.run(outcome_under_asyncio(program()))
