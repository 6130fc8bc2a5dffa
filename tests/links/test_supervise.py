"""The loop that keeps a link up, under a clock that the test moves."""

import asyncio
import gc
import logging
import random as lots
from collections.abc import Awaitable, Callable
from typing import Unpack

import pytest
from anyio import CancelScope

from slipstream.links import Backoff, Fatal, Link, Links, LinkState
from slipstream.links.dialling import DialledLink
from slipstream.links.rules import Failure, Schedule
from slipstream.links.setup import LinkOptions, WebSocketSetup
from slipstream.links.state import Clock
from slipstream.links.supervise import Home, Restart, first_of

from .support import HandMovedClock, until

pytestmark = pytest.mark.anyio
ABOUT_ONE = 1 - 2**-53


Attempts = Callable[[Link, int], Awaitable[Failure]]


class Scripted(DialledLink[WebSocketSetup]):
    """Attempts that end as a script says."""

    kind = "websocket"
    setup_type = WebSocketSetup

    def __init__(self, attempts: Attempts, links: Links, options: LinkOptions) -> None:
        super().__init__(links, options, lambda: WebSocketSetup("ws://a.script"))
        self._attempts = attempts
        self._number = 0
        self.backoff: Backoff | None = None

    async def attempt(self, schedule: Schedule) -> Failure:
        self._number += 1
        schedule.waits = self.backoff or self.options.backoff
        return await self._attempts(self, self._number)


def scripted(clock: HandMovedClock, attempts: Attempts, **options: Unpack[LinkOptions]) -> tuple[Links, Scripted]:
    links = Links(clock=clock, random=lambda: ABOUT_ONE)
    link = Scripted(attempts, links, options)
    links._add(link)
    return links, link


async def test_waits_grow_and_begin_anew_after_a_stable_minute() -> None:
    """The rule and the clock together: 1, 2, 4 seconds; up for 61; 1 second."""
    clock = HandMovedClock()

    async def attempt(link: Link, number: int) -> Failure:
        if number == 4:
            link.come_up("connected")
            clock.seconds += 61
        if number == 6:
            await asyncio.Event().wait()
        return Failure("closed", "lost")

    links, _ = scripted(clock, attempt)

    async with links.running():
        await until(lambda: len(clock.waits) == 5)

    assert list(clock.waits) == pytest.approx([1, 2, 4, 1, 2])


async def test_a_setup_may_ask_for_its_own_waits() -> None:
    """From the attempt on for which it was asked, and for as long as it says so; the link's hold otherwise."""
    clock = HandMovedClock()

    async def attempt(link: Link, number: int) -> Failure:
        if number == 4:
            await asyncio.Event().wait()
        script.backoff = Backoff(first=8, factor=3) if number == 1 else None
        return Failure("refused", "nobody is there")

    links, script = scripted(clock, attempt)

    async with links.running():
        await until(lambda: len(clock.waits) == 3)

    assert [round(wait) for wait in clock.waits] == [1, 24, 4]


async def test_an_attempt_that_fails_in_an_unforeseen_way_is_one_more_reason_to_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No exception ends the task that keeps a link up, and none ends in silence."""

    async def attempt(link: Link, number: int) -> Failure:
        if number < 3:
            raise RuntimeError("nobody foresaw this")
        link.come_up("connected")
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never comes back

    links, link = scripted(HandMovedClock(), attempt)

    async with links.running():
        await link.wait_for(LinkState.UP)

    assert link.status.failures == 2
    assert caplog.text.count("RuntimeError: nobody foresaw this") >= 2


async def test_a_failed_link_is_revived_with_a_clean_record() -> None:
    """After a restart the tries and the waits begin anew."""
    clock = HandMovedClock()

    async def attempt(link: Link, number: int) -> Failure:
        return Failure("status", "the server answered 403", 403)

    links, link = scripted(clock, attempt, fatal=Fatal(tries=3), backoff=Backoff(first=1))

    async with links.running():
        await link.wait_for(LinkState.FAILED)
        link.restart()
        await until(lambda: link.counters.attempts == 6)
        await link.wait_for(LinkState.FAILED)

    assert list(clock.waits) == pytest.approx([1, 2, 1, 2])


async def test_links_that_share_a_turnstile_pass_one_by_one() -> None:
    """Even where every lot is the same."""
    clock = HandMovedClock()

    async def attempt(link: Link, number: int) -> Failure:
        if number == 3:
            return await asyncio.Event().wait()  # type: ignore[return-value]  # it never comes back
        clock.seconds -= clock.waits.pop() if number == 2 else 0  # both return at one moment
        return Failure("closed", "lost")

    links, _ = scripted(clock, attempt)
    links.dialling = 30  # as if there were so many

    async with links.running():
        await until(lambda: len(clock.waits) >= 1)


async def test_a_task_that_raises_is_logged_and_ends_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in one place must not take the application down, nor go unseen."""
    home = Home(Clock(), lots.random)

    async def fail() -> None:
        raise ValueError("a bug")

    async with home.supervised():
        await home.spawn(fail(), "the task")
        assert home.is_running

    assert any(each.levelno == logging.ERROR and "the task" in each.getMessage() for each in caplog.records)
    with pytest.raises(RuntimeError, match="not running"):
        home.spawn(fail(), "too late")


async def test_a_task_that_is_cancelled_before_its_first_step_leaves_no_coroutine_behind() -> None:
    """A link that is stopped in the moment of its start is no bug to warn of."""
    home, begun = Home(Clock(), lots.random), list[str]()

    async def work() -> None:
        begun.append("work")

    async with home.supervised():
        task = home.spawn(work(), "the task", link=object())
    await asyncio.sleep(0)
    gc.collect()

    assert task.cancelled()
    assert begun == []


async def test_what_the_program_raises_is_not_wrapped_into_a_group() -> None:
    """`except ConfigError` around a program's start means what it says."""
    clock = HandMovedClock()

    async def attempt(link: Link, number: int) -> Failure:
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never comes back

    links, link = scripted(clock, attempt)

    async def begin() -> None:
        async with links.running():
            await link.wait_for(LinkState.CONNECTING)
            raise ValueError("a wrong start")

    with pytest.raises(ValueError, match="a wrong start"):
        await begin()
    assert link.state is LinkState.CLOSED
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0), links.running():
            await asyncio.Event().wait()


async def test_the_first_to_end_counts_and_the_others_are_waited_for() -> None:
    """Nothing of a connection goes on after its end."""
    ended = []

    async def lasting() -> str:
        try:
            return await asyncio.Event().wait()  # type: ignore[return-value]  # it never comes back
        finally:
            ended.append("lasting")

    async def short() -> str:
        return "short"

    assert await first_of(lasting(), short()) == "short"
    assert ended == ["lasting"]


async def test_one_that_returns_none_lets_the_others_go_on() -> None:
    """It has nothing to say; and one that raises ends all."""

    async def silent() -> None:
        pass

    async def late(text: str) -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        return text

    async def failing() -> None:
        raise ValueError("in vain")

    assert await first_of(late("late"), silent()) == "late"
    with pytest.raises(ValueError, match="in vain"):
        await first_of(asyncio.Event().wait(), failing())


async def test_a_restart_ends_what_a_task_waits_for_until_it_is_cleared() -> None:
    """Also what begins afterwards; but not the task, which can still be cancelled."""
    restart, ended = Restart(), []

    async def lasting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("lasting")

    async def short() -> str:
        await asyncio.sleep(0)
        return "short"

    assert await restart.over(short()) == "short"
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, restart.set)  # when the work has begun
    assert await restart.over(lasting()) is None
    assert await restart.over(short()) is None
    await restart.wait()
    restart.clear()
    assert await restart.over(short()) == "short"
    task = asyncio.ensure_future(restart.over(lasting()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["lasting", "lasting"]


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancel_scope_around_it_knows_its_own_cancellation(turns: int) -> None:
    """At whatever moment it comes: while all run, as the first ends, and while the others are being ended.

    The scope says it again in each turn of the loop; the others are told once, and end in their own time.
    """
    begun, ended, first_ends = [], [], asyncio.Event()

    async def lasting() -> None:
        begun.append("lasting")
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(4):
                await asyncio.sleep(0)
            ended.append("lasting")

    async def short() -> bool:
        return await first_ends.wait()

    async def cancelling() -> None:
        for turn in range(turns):
            if turn == 2:
                first_ends.set()
            await asyncio.sleep(0)
        scope.cancel()

    cancelled = asyncio.ensure_future(cancelling())
    with CancelScope() as scope:
        await first_of(lasting(), short())
        await asyncio.Event().wait()

    await cancelled
    assert scope.cancelled_caught
    assert ended == begun


async def test_a_task_that_is_cancelled_while_the_others_end_is_cancelled() -> None:
    """The first result is then not taken for an answer."""
    ending, go_on, ended = asyncio.Event(), asyncio.Event(), []

    async def lasting() -> str:
        try:
            return await asyncio.Event().wait()  # type: ignore[return-value]  # it never comes back
        finally:
            ending.set()
            await go_on.wait()
            ended.append("lasting")

    async def short() -> str:
        return "short"

    task = asyncio.ensure_future(first_of(lasting(), short()))
    await ending.wait()
    task.cancel("for a reason")
    await asyncio.sleep(0)
    go_on.set()

    with pytest.raises(asyncio.CancelledError, match="for a reason"):
        await task
    assert ended == ["lasting"]
