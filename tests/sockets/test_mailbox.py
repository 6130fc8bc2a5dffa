"""A task that waits for a message runs in the same instant as the message comes. That must be no less safe than a
wake-up by the loop, on every loop and with either kind of task."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from slipstream._foreign.asyncio import RecordingFuture
from slipstream._sockets import mailbox
from slipstream._sockets.mailbox import Mailbox
from tests.loops import LOOPS, run

Scenario = Callable[[Mailbox, list[Any]], Coroutine[Any, Any, None]]
TASKS: list[Any] = [asyncio.Task, asyncio.tasks._PyTask]  # type: ignore[attr-defined]  # the one without C


@pytest.fixture(params=[True, False], ids=["callbacks known", "callbacks unknown"], autouse=True)
def private_names(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the private name of asyncio's futures, for every other run."""
    if not request.param:
        monkeypatch.setattr(mailbox, "WaitedFuture", RecordingFuture)
        monkeypatch.setattr("slipstream._foreign.asyncio.KNOWS_CALLBACKS", False)


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def loop_kind(request: pytest.FixtureRequest) -> Any:
    """Make a loop."""
    return request.param


@pytest.fixture(params=TASKS, ids=["C task", "Python task"])
def play(request: pytest.FixtureRequest, loop_kind: Any) -> Callable[[Scenario], list[Any]]:
    """Play a scenario on a loop with a kind of task; return the log that it has kept."""

    def on_loop(scenario: Scenario) -> list[Any]:
        log: list[Any] = []

        async def set_up() -> None:
            loop = asyncio.get_running_loop()
            loop.set_task_factory(lambda loop, coro, **options: request.param(coro, loop=loop, **options))
            await asyncio.create_task(scenario(Mailbox(loop), log))

        run(set_up(), loop_kind)
        return log

    return on_loop


async def fetch(mailbox: Mailbox, log: list[Any], name: str = "") -> None:
    """Write down what comes, for ever."""
    while True:
        log.append(f"{name}{await mailbox.get()}")


async def outside(act: Callable[[], Any], **options: Any) -> None:
    """Do something outside of every task, as a transport does."""
    done = asyncio.Event()

    def call() -> None:
        act()
        done.set()

    asyncio.get_running_loop().call_soon(call, **options)
    await done.wait()


async def waiting(mailbox: Mailbox, log: list[Any], name: str = "", **options: Any) -> asyncio.Task[None]:
    """Start a task that waits already when this returns."""
    task = asyncio.create_task(fetch(mailbox, log, name), **options)
    await asyncio.sleep(0)
    return task


def test_who_waits_runs_before_wake_returns(play: Callable[[Scenario], list[Any]]) -> None:
    """That is the point of it."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        task = await waiting(mailbox, log)

        def come() -> None:
            mailbox.add(1)
            log.append("before")
            mailbox.wake()
            log.append("after")

        await outside(come)
        await outside(come)
        task.cancel()

    assert play(scenario) == ["before", "1", "after"] * 2


def test_a_message_alone_need_not_wait_in_the_queue(play: Callable[[Scenario], list[Any]]) -> None:
    """It is given at once, or not at all; then nothing has happened."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        def come() -> None:
            log.append((mailbox.give(1), list(mailbox.items)))

        await outside(come)
        log.append("nobody waits")
        task = await waiting(mailbox, log)
        await outside(come)
        log.append("one waits")
        come()
        log.append("a task runs")
        task.cancel()
        await outside(come)
        log.append("it is cancelled")
        await asyncio.wait([task])
        task = await waiting(mailbox, log)
        mailbox.add(0)
        await outside(come)
        log.append("another came before")
        task.cancel()

    no, yes = (False, []), (True, [])
    assert play(scenario) == [
        *(no, "nobody waits"),
        *("1", yes, "one waits"),
        *(no, "a task runs"),
        *(no, "it is cancelled"),
        *((False, [0]), "another came before"),
    ]


def test_several_messages_wait_for_the_loop(play: Callable[[Scenario], list[Any]]) -> None:
    """A flood must not keep others from their turn; what has come meanwhile stays behind it."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        task = await waiting(mailbox, log)

        def come() -> None:
            mailbox.add(1)
            mailbox.add(2)
            mailbox.wake()
            mailbox.add(3)
            mailbox.wake()
            log.append("not yet")

        await outside(come)
        await asyncio.sleep(0)
        task.cancel()

    assert play(scenario) == ["not yet", "1", "2", "3"]


def test_within_a_task_the_others_wait_for_the_loop(play: Callable[[Scenario], list[Any]]) -> None:
    """Two tasks cannot run at once."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        task = await waiting(mailbox, log)
        mailbox.add(1)
        mailbox.wake()
        log.append("still here")
        await asyncio.sleep(0)
        mailbox.put_nowait(2)
        log.append("and here")
        await asyncio.sleep(0)
        task.cancel()

    assert play(scenario) == ["still here", "1", "and here", "2"]


def test_one_task_runs_in_a_turn_of_the_loop(play: Callable[[Scenario], list[Any]]) -> None:
    """However many wait, the loop goes round between them; each gets its message, in the order of coming."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        loop = asyncio.get_running_loop()

        async def once(name: str) -> None:
            log.append(f"{name} {await mailbox.get()}")

        tasks = [asyncio.create_task(once(name)) for name in "abc"]
        await asyncio.sleep(0)

        def come() -> None:
            mailbox.add(1)
            mailbox.wake()
            mailbox.add(2)
            mailbox.add(3)
            mailbox.wake()
            loop.call_soon(log.append, "the loop")

        await outside(come)
        await asyncio.gather(*tasks)

    assert play(scenario) == ["a 1", "b 2", "the loop", "c 3"]


def test_a_message_that_comes_after_the_cancellation_is_for_the_next(play: Callable[[Scenario], list[Any]]) -> None:
    """The cancelled task has not run yet, and must not take it along."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        first, second = await waiting(mailbox, log, "first "), await waiting(mailbox, log, "second ")

        def race() -> None:
            first.cancel()
            mailbox.add(1)
            mailbox.wake()

        await outside(race)
        await asyncio.wait([first])
        log.append(first.cancelled())
        second.cancel()
        await asyncio.wait([second])
        mailbox.add(2)
        mailbox.wake()
        log.append(await mailbox.get())

    assert play(scenario) == ["second 1", True, 2]


def test_a_message_that_comes_before_the_cancellation_is_had(play: Callable[[Scenario], list[Any]]) -> None:
    """It was handed over; the task is cancelled where it waits next."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        task = await waiting(mailbox, log)

        def race() -> None:
            mailbox.add(1)
            mailbox.wake()
            task.cancel()
            mailbox.add(2)
            mailbox.wake()

        await outside(race)
        await asyncio.wait([task])
        log.append((task.cancelled(), list(mailbox.items)))

    assert play(scenario) == ["1", (True, [2])]


def test_a_time_out_leaves_nothing_behind(play: Callable[[Scenario], list[Any]]) -> None:
    """A heartbeat that waits a million times on a silent link must not fill the memory."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await mailbox.get()
        log.append(len(mailbox._turns) <= 1)
        task = await waiting(mailbox, log)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await mailbox.get()
        log.append(len(mailbox._turns) <= 2)
        await outside(lambda: mailbox.give("still in line"))
        task.cancel()

    assert play(scenario) == [True, True, "still in line"]


def test_a_failure_is_the_tasks_own(play: Callable[[Scenario], list[Any]]) -> None:
    """The transport, which called, must not think that the protocol is broken."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        async def fail() -> None:
            raise RuntimeError(f"broken by {await mailbox.get()}")

        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        mailbox.add(1)
        await outside(mailbox.wake)
        log.append(str(task.exception()))

    assert play(scenario) == ["broken by 1"]


def test_an_exit_leaves_the_loop_and_not_the_transport(loop_kind: Any) -> None:
    """`sys.exit()` in a handler ends the process, as it does elsewhere in a task."""
    log = []

    async def scenario() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())

        async def leave() -> None:
            await mailbox.get()
            raise SystemExit(7)

        task = asyncio.create_task(leave())
        await asyncio.sleep(0)
        mailbox.add(1)
        await outside(lambda: log.append(mailbox.wake()))  # type: ignore[func-returns-value]  # that it returns
        await task

    with pytest.raises(SystemExit) as left:
        run(scenario(), loop_kind)
    assert (left.value.code, log) == (7, [None])


def test_a_task_keeps_its_own_context(play: Callable[[Scenario], list[Any]]) -> None:
    """NoneBot keeps the current bot and event in context variables."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        async def look() -> None:
            variable.set("the task's")
            await mailbox.get()
            log.append(variable.get())

        task = asyncio.create_task(look())
        await asyncio.sleep(0)

        def come() -> None:
            variable.set("the transport's")
            mailbox.add(1)
            mailbox.wake()
            log.append(variable.get())

        await outside(come)
        await task

    assert play(scenario) == ["the task's", "the transport's"]


def test_a_context_that_is_in_use_puts_it_off(play: Callable[[Scenario], list[Any]]) -> None:
    """A program may share a context between a task and a callback; nothing is lost by it."""

    async def scenario(mailbox: Mailbox, log: list[Any]) -> None:
        shared = contextvars.copy_context()
        task = await waiting(mailbox, log, context=shared)

        def come() -> None:
            log.append(mailbox.give(1))
            mailbox.add(1)
            mailbox.wake()
            log.append("not yet")

        await outside(come, context=shared)
        await asyncio.sleep(0)
        task.cancel()

    assert play(scenario) == [False, "not yet", "1"]
