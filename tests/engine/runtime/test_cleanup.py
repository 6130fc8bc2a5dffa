"""Closing `yield` dependencies: as an `AsyncExitStack` over context managers would, for every sequence of them."""

import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest
from hypothesis import example, given, strategies as st

from slipstream._engine.runtime.cleanup import (
    FormExit,
    SlotExit,
    inner_failure,
    leave,
    open_failure,
    unwind,
)
from slipstream._engine.runtime.response import RESPONSE_STARTED
from slipstream._engine.runtime.threads import ThreadGenerator


class Own(Exception):
    """What a dependency raises by itself."""


class Fault(Exception):
    """What the endpoint raises."""


BEHAVIOURS = (
    "pass",  # no try around the yield
    "finally",  # cleans up, whatever comes
    "raise",  # catches and raises the same again
    "swallow",  # catches, says nothing
    "replace",  # catches, raises another
    "replace_from_none",  # catches, raises another without its story
    "raise_after",  # fails while it is closed after a good end
    "raise_in_finally",  # fails while it is closed, whatever the end
    "yield_again",  # a dependency that yields twice
    "stop",  # raises StopAsyncIteration while it is closed
)


def dependency(behaviour: str, number: int, log: list[str]) -> AsyncIterator[int]:
    """Make an async generator that yields once and then behaves."""
    return _GENERATORS[behaviour](number, log)


async def _pass(number: int, log: list[str]) -> AsyncIterator[int]:
    yield number
    log.append(f"{number} left")


async def _finally(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    finally:
        log.append(f"{number} finally")


async def _raise(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    except BaseException as exc:
        log.append(f"{number} saw {exc!r}")
        raise


async def _swallow(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    except Exception as exc:
        log.append(f"{number} swallowed {exc!r}")


async def _replace(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    except Exception as exc:
        log.append(f"{number} replaced {exc!r}")
        raise Own(number)  # noqa: B904 - the context is compared


async def _replace_from_none(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    except Exception:
        raise Own(number) from None


async def _raise_after(number: int, log: list[str]) -> AsyncIterator[int]:
    yield number
    log.append(f"{number} fails")
    raise Own(number)


async def _raise_in_finally(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    finally:
        log.append(f"{number} fails")
        raise Own(number)


async def _yield_again(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    except Exception:
        log.append(f"{number} goes on")
    yield number


async def _stop(number: int, log: list[str]) -> AsyncIterator[int]:
    try:
        yield number
    finally:
        raise StopAsyncIteration(number)


_GENERATORS: dict[str, Callable[[int, list[str]], AsyncIterator[int]]] = {
    name: globals()[f"_{name}"] for name in BEHAVIOURS
}
FAULTS: tuple[Callable[[], BaseException] | None, ...] = (
    None,
    lambda: Fault("fault"),
    lambda: StopIteration("fault"),
    lambda: StopAsyncIteration("fault"),
    lambda: RuntimeError("fault"),
    KeyboardInterrupt,
)


async def theirs(behaviours: list[str], make: Callable[[], BaseException] | None) -> tuple[list[str], Any]:
    """Open with `AsyncExitStack`, run, close; returns what was logged and what came out."""
    log: list[str] = []
    try:
        async with AsyncExitStack() as stack:
            for number, behaviour in enumerate(behaviours):
                await stack.enter_async_context(asynccontextmanager(_GENERATORS[behaviour])(number, log))
            if make is not None:
                raise make()
    except BaseException as exc:
        return log, exc
    return log, None


async def ours(behaviours: list[str], make: Callable[[], BaseException] | None) -> tuple[list[str], Any]:
    """Do the same as generated source does."""
    log: list[str] = []
    exits: list[Any] = []
    try:
        for number, behaviour in enumerate(behaviours):
            opened = dependency(behaviour, number, log)
            await opened.__anext__()
            exits.append(opened)
        if make is not None:
            raise make()
        await leave(exits)
    except BaseException as exc:
        return log, await unwind(exits, exc)
    return log, None


def told(exc: BaseException | None) -> list[tuple[str, str]]:
    """An exception as a log would tell it: type, text and what it came from, down to the bottom."""
    story: list[tuple[str, str]] = []
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        story.append((type(exc).__name__, str(exc)))
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return story


@given(st.lists(st.sampled_from(BEHAVIOURS), max_size=4), st.sampled_from(FAULTS))
@example(["pass", "swallow"], FAULTS[1])
@example(["raise", "raise_after"], None)
@example(["swallow", "raise_after"], None)
@example(["replace", "replace"], FAULTS[1])
@example(["raise"], FAULTS[2])
@example(["raise"], FAULTS[3])
def test_closing_is_that_of_nested_context_managers(
    behaviours: list[str], make: Callable[[], BaseException] | None
) -> None:
    """Order, who hears of what, what comes out: people know these rules from `async with`."""
    their_log, their_end = anyio.run(theirs, behaviours, make)
    our_log, our_end = anyio.run(ours, behaviours, make)

    assert our_log == their_log
    story, their_story = told(our_end), told(their_end)
    assert story[: len(their_story)] == their_story  # of two dependencies that fail, ours never forgets the first
    assert bool(story) == bool(their_story)


@pytest.mark.anyio
async def test_the_story_of_an_exception_is_kept() -> None:
    """The log must show the endpoint's own error below the one that closing raised."""
    _, end = await ours(["raise_in_finally", "raise_in_finally"], FAULTS[1])

    assert told(end) == [("Own", "0"), ("Own", "1"), ("Fault", "fault")]
    assert "Fault: fault" in "".join(traceback.format_exception(end))


@pytest.mark.anyio
@pytest.mark.parametrize("make", FAULTS, ids=range(len(FAULTS)))
async def test_blocking_generators_hear_of_exceptions_as_async_ones_do(make: Any) -> None:
    """StopIteration cannot cross a thread's future; it must arrive all the same."""
    log: list[Any] = []

    def blocking() -> Iterator[int]:
        try:
            yield 1
        except BaseException as exc:
            log.append(type(exc))
            raise
        log.append("left")

    opened = ThreadGenerator(blocking())
    await opened.__anext__()

    if make is None:
        await leave([opened])
        assert log == ["left"]
    else:
        fault = make()
        assert await unwind([opened], fault) is fault
        assert log == [type(fault)]


@pytest.mark.anyio
async def test_a_failure_while_leaving_keeps_the_rest_on_the_list() -> None:
    """`unwind` then tells the others of it."""
    log: list[str] = []
    exits: list[Any] = []
    for number, behaviour in enumerate(["raise", "raise_after"]):
        opened = dependency(behaviour, number, log)
        await anext(opened)
        exits.append(opened)

    with pytest.raises(Own) as caught:
        await leave(exits)
    assert len(exits) == 1
    assert await unwind(exits, caught.value) is caught.value
    assert log == ["1 fails", "0 saw Own(1)"]


@pytest.mark.anyio
async def test_clean_up_runs_to_its_end_when_the_request_is_cancelled() -> None:
    """A connection that is not given back because the client left is lost for good."""
    closed = anyio.Event()

    async def connection() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await anyio.lowlevel.checkpoint()
            closed.set()

    async def serve() -> None:
        exits: list[Any] = []
        try:
            opened = connection()
            await anext(opened)
            exits.append(opened)
            started.set()
            await anyio.sleep_forever()
        except BaseException as exc:
            await unwind(exits, exc)
            raise

    started = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await started.wait()
        tasks.cancel_scope.cancel()

    assert closed.is_set()


class Form:
    closed = 0

    async def close(self) -> None:
        self.closed += 1


@pytest.mark.anyio
async def test_files_are_closed_and_places_given_back_after_either_end() -> None:
    """They hear nothing of exceptions, and let them pass."""
    semaphore, form, fault = anyio.Semaphore(0), Form(), Fault()

    await leave([SlotExit(semaphore), FormExit(form)])  # type: ignore[arg-type]
    remaining = await unwind([SlotExit(semaphore), FormExit(form)], fault)  # type: ignore[arg-type]

    assert remaining is fault
    assert (semaphore.value, form.closed) == (2, 2)


class Answers:
    """Stands for the registered handlers."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def fail(self, exc: Exception, scope: Any, receive: Any, send: Any, **facts: Any) -> None:
        self.given.append((exc, facts))


async def closed_after(behaviour: str, *, sent: bool, kind: str = "http", started: bool = False) -> list[Any]:
    answers, log = Answers(), []  # type: ignore[var-annotated]
    fail_open = open_failure(answers.fail, lambda: Fault("swallowed"))
    opened = dependency(behaviour, 0, log)
    await anext(opened)
    scope = {"type": kind, **({RESPONSE_STARTED: True} if started else {})}
    await fail_open([opened], Fault("fault"), sent, scope, None, None, body=b"a")  # type: ignore[arg-type]
    return answers.given


@pytest.mark.anyio
async def test_a_failure_is_answered_after_everything_is_closed() -> None:
    """And with what the last dependency made of it."""
    (exc, facts), = await closed_after("replace", sent=False)  # fmt: skip

    assert isinstance(exc, Own)
    assert facts == {"started": False, "body": b"a"}


@pytest.mark.anyio
@pytest.mark.parametrize(("sent", "started"), [(True, False), (False, True)])
async def test_the_handlers_learn_that_a_response_has_begun(sent: bool, started: bool) -> None:
    """A second start would break the protocol."""
    (_, facts), = await closed_after("raise", sent=sent, started=started)  # fmt: skip

    assert facts["started"] is True


@pytest.mark.anyio
async def test_a_swallowed_exception_leaves_nothing_to_answer_with() -> None:
    """Before the response it is an error of its own; after it, or on a WebSocket, all is well."""
    (exc, _), = await closed_after("swallow", sent=False)  # fmt: skip

    assert str(exc) == "swallowed"
    assert await closed_after("swallow", sent=True) == []
    assert await closed_after("swallow", sent=False, kind="websocket") == []


@pytest.mark.anyio
async def test_what_is_no_exception_is_raised_again() -> None:
    """Cancellation and KeyboardInterrupt are nobody's to answer."""
    answers = Answers()
    fail_open = open_failure(answers.fail, lambda: Fault("swallowed"))

    with pytest.raises(KeyboardInterrupt):
        await fail_open([], KeyboardInterrupt(), False, {"type": "http"}, None, None)  # type: ignore[arg-type]
    assert answers.given == []


@pytest.mark.anyio
async def test_dependencies_closed_before_the_response_hear_of_failures_too() -> None:
    """Scope "function": what comes out goes on to the others."""
    fail_closing = inner_failure(lambda: Fault("swallowed"))
    ends = []
    for behaviour in ("raise", "replace", "swallow"):
        opened = dependency(behaviour, 0, [])
        await anext(opened)
        ends.append(repr(await fail_closing([opened], Fault("fault"))))

    assert ends == ["Fault('fault')", "Own(0)", "Fault('swallowed')"]


@pytest.mark.anyio
async def test_a_websockets_dependency_may_swallow_an_exception() -> None:
    """No response is missing then; FastAPI says nothing either."""
    opened = dependency("swallow", 0, [])
    await anext(opened)

    assert await inner_failure(lambda: Fault("swallowed"))([opened], Fault("fault"), {"type": "websocket"}) is None
