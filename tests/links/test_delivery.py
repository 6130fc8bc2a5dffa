"""The workers that handle what a peer sends, without sockets."""

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from slipstream.links import delivery as module
from slipstream.links.counters import Counters
from slipstream.links.delivery import Delivery, End
from slipstream.links.queue import QueueFull, QueuePolicy
from tests.loops import LOOPS, run


class Work:
    """Handles items as a test says, and notes what became of them."""

    def __init__(self, handle: Callable[[Any], Awaitable[Any]]) -> None:
        self.handle = handle
        self.counts = Counters()
        self.ends: list[tuple[Any, End]] = []
        self.idle = 0

    def ended(self, item: Any, end: End, result: Any) -> None:
        self.ends.append((item, end))

    def idled(self) -> None:
        self.idle += 1

    def delivery(self, size: int = 10, policy: QueuePolicy = "wait", concurrency: int = 1) -> Delivery[Any]:
        made = Delivery[Any](self, self.counts, "worker", size, policy, concurrency)
        made.on_idle = self.idled
        made.employ(spawn)
        return made


class Feed:
    """Brings items without waiting, as a connection does whose bytes have come."""

    def __init__(self, delivery: Delivery[Any], items: list[Any]) -> None:
        self.delivery, self.items = delivery, items

    def go_on(self) -> None:
        while self.items and self.delivery.offer(self.items.pop(0), self):
            pass


class Forgetful(Work):
    """Notes nothing of its items."""

    def ended(self, item: Any, end: End, result: Any) -> None:
        """Do nothing."""


def spawn(work: Any, name: str, context: contextvars.Context) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(work, name=name, context=context)


async def outside(call: Callable[[], Any]) -> Any:
    """Call something as a transport does, while no task runs; return what it returned, raise what it raised."""
    result = asyncio.get_running_loop().create_future()

    def step() -> None:
        try:
            result.set_result(call())
        except Exception as error:
            result.set_exception(error)

    asyncio.get_running_loop().call_soon(step)
    return await result


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_an_item_that_comes_alone_is_handled_before_the_transport_goes_on(loop: Any) -> None:
    """Each turn of the loop between a message and its handler costs; the first item starts the worker."""

    async def scenario() -> None:
        log: list[Any] = []

        async def handle(item: Any) -> None:
            log.append(item)

        delivery = Work(handle).delivery()
        await delivery.put("first")
        await delivery.join()
        await turns()

        def come() -> None:
            log.append(delivery.offer("alone", is_alone=True))
            delivery.offer("one of many")
            log.append("not yet")

        await outside(come)
        await delivery.join()
        assert log == ["first", "alone", True, "not yet", "one of many"]
        delivery.cancel()

    run(scenario(), loop)


@settings(deadline=None, max_examples=100)
@given(
    waits=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    size=st.integers(1, 4),
    bundles=st.lists(st.integers(1, 6), min_size=30, max_size=30),
    feeds=st.integers(1, 3),
    alone=st.booleans(),
)
def test_one_worker_keeps_the_order_of_every_feed(
    waits: list[int], size: int, bundles: list[int], feeds: int, alone: bool
) -> None:
    """However small the queue, whoever else brings items, and whether handlers wait, fail or are cancelled."""

    async def scenario() -> None:
        got: list[tuple[int, int]] = []

        async def handle(item: tuple[int, int]) -> None:
            got.append(item)
            await turns(waits[item[1] % len(waits)])
            if item[1] % 5 == 4:
                raise RuntimeError("on purpose")
            if item[1] % 7 == 6:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)

        work = Work(handle)
        delivery = work.delivery(size)
        total = len(waits)
        sources = [Feed(delivery, []) for _ in range(feeds)]
        for number in range(total):
            for name, source in enumerate(sources):
                is_idle = not source.items
                source.items.append((name, number))
                if is_idle and not delivery.is_blocked:
                    if alone:
                        await outside(lambda each=source: delivery.offer(each.items.pop(0), each, is_alone=True))
                    else:
                        source.go_on()
            await turns(bundles[number])
        while delivery.unfinished or delivery.is_blocked or any(source.items for source in sources):
            for source in sources:
                if source.items and not delivery.is_blocked:
                    source.go_on()
            await turns(1)

        for name in range(feeds):
            assert [number for each, number in got if each == name] == list(range(total))
        counts = work.counts
        assert counts.handled + counts.failed + counts.lost == len(got) == len(work.ends) == total * feeds
        assert delivery.high_water <= size
        assert delivery.busy == 0
        delivery.cancel()

    asyncio.run(scenario())


@settings(deadline=None, max_examples=100)
@given(
    steps=st.lists(st.sampled_from(["offer", "alone", "turn", "let", "hold", "release", "more"]), max_size=40),
    policy=st.sampled_from(["wait", "drop_oldest", "close"]),
    concurrency=st.integers(1, 3),
)
def test_every_item_meets_one_end_and_no_more_handlers_run_than_may(
    steps: list[str], policy: Any, concurrency: int
) -> None:
    """Handled, dropped, refused or lost; what is held starts nothing, one that is let in beside the others may."""

    async def scenario() -> None:
        running: list[asyncio.Event] = []
        most = 0
        allowed = concurrency

        async def handle(item: Any) -> None:
            nonlocal most
            gate = asyncio.Event()
            running.append(gate)
            most = max(most, len(running))
            assert len(running) <= allowed
            try:
                await gate.wait()
            finally:
                running.remove(gate)

        work = Work(handle)
        delivery = work.delivery(2, policy, concurrency)
        feed = Feed(delivery, [])
        refused = offered = 0
        for step in steps:
            if step in ("offer", "alone"):
                offered += 1
                try:
                    offer = partial(delivery.offer, offered, feed, is_alone=step == "alone")
                    await outside(offer)
                except QueueFull:
                    refused += 1
            elif step == "let" and running:
                running[0].set()
            elif step == "hold":
                allowed = max(len(running), 0)
                delivery.allow(0, is_held=True)
            elif step in ("release", "more"):
                allowed = max(len(running), concurrency + (step == "more"))
                delivery.allow(int(step == "more"))
            await turns()
        delivery.is_stopping = True
        ended = delivery.cancel()
        delivery.clear()
        if ended:
            await asyncio.wait(ended)
        assert len(work.ends) + refused == offered
        assert delivery.unfinished == 0
        assert most <= concurrency + 1

    asyncio.run(scenario())


async def _note_and_set(variable: "contextvars.ContextVar[str]", seen: list[str], item: str) -> None:
    seen.append(variable.get())
    if item.startswith("set"):
        variable.set(item)


def test_a_handler_does_not_see_the_context_variables_of_the_one_before_it() -> None:
    """The user of one event must not be the user of the next."""
    variable = contextvars.ContextVar("variable", default="as before")
    seen: list[str] = []

    async def scenario() -> None:
        delivery = Work(lambda item: _note_and_set(variable, seen, item)).delivery()
        for item in ("set 1", "plain", "set 2"):
            await delivery.put(item)
        await delivery.join()
        await turns()
        await outside(lambda: delivery.offer("set 3", is_alone=True))
        await turns()
        await outside(lambda: delivery.offer("plain", is_alone=True))
        await delivery.join()
        delivery.cancel()

    asyncio.run(scenario())
    assert seen == ["as before"] * 5


def test_a_flood_leaves_turns_to_others() -> None:
    """A handler that never waits would keep every other link from being heard."""

    async def scenario() -> None:
        handled = 0

        async def handle(item: Any) -> None:
            nonlocal handled
            handled += 1

        delivery = Work(handle).delivery(10_000)
        for number in range(1000):
            delivery.offer(number)
        seen = []
        while handled < 1000:
            seen.append(handled)
            await asyncio.sleep(0)
        assert max(later - earlier for earlier, later in pairwise(seen)) <= 64
        delivery.cancel()

    asyncio.run(scenario())


def test_a_delivery_whose_peer_has_left_keeps_no_worker() -> None:
    """Bots come and go; a task for each that ever was would fill the memory."""

    async def scenario() -> None:
        async def handle(item: Any) -> None:
            """Do nothing."""

        work = Work(handle)
        delivery = work.delivery()
        await delivery.put(1)
        await delivery.join()
        await turns()
        before = len(asyncio.all_tasks())
        delivery.let_go()
        await turns()
        after = len(asyncio.all_tasks())
        await delivery.put("late")
        await delivery.join()
        await turns()

        assert (after - before, len(asyncio.all_tasks()) - before, work.idle) == (-1, -1, 2)

    asyncio.run(scenario())


ENDS = ["at once", "after a wait", "raises", "raises after a wait", "is cancelled", "cancels itself", "is no coroutine"]


@settings(deadline=None, max_examples=150)
@given(ends=st.lists(st.sampled_from(ENDS), max_size=12), can_lend=st.booleans())
def test_a_handler_cannot_tell_whether_it_was_begun_before_its_worker_woke(ends: list[str], can_lend: bool) -> None:
    """One task, one context, timeouts and scopes from its first line to its last, and each item has one end."""
    variable = contextvars.ContextVar[int]("variable", default=0)
    tasks: set[Any] = set()

    async def handle(item: tuple[int, str]) -> int:
        number, end = item
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert variable.get() == 0
        tasks.add(task)
        token = variable.set(number)
        try:
            if end.startswith("cancels"):
                task.cancel()
            if end == "is cancelled":
                other = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(other.cancel)
                await other
            if end.endswith("wait") or end.startswith("cancels"):
                async with asyncio.timeout(60):
                    await asyncio.wait({asyncio.ensure_future(turns(2))})
            if end.startswith("raises"):
                raise ValueError(number)
        finally:
            assert asyncio.current_task() is task
            assert variable.get() == number
            variable.reset(token)
        return number

    async def scenario() -> tuple[list[tuple[Any, End]], Counters]:
        work = Work(lambda item: asyncio.ensure_future(handle(item)) if item[1] == ENDS[-1] else handle(item))
        delivery = work.delivery()
        await delivery.put((-1, "at once"))
        await delivery.join()
        await turns()
        for number, end in enumerate(ends, 1):
            assert await outside(partial(delivery.offer, (number, end), is_alone=True))
            await delivery.join()
            await turns()
        assert (delivery.unfinished, delivery.busy) == (0, 0)
        delivery.cancel()
        return work.ends, work.counts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CAN_LEND", can_lend)
        found, counts = asyncio.run(scenario())

    expected = {"raises": "failed", "raises after a wait": "failed", "is cancelled": "failed", "cancels itself": "lost"}
    assert [end for _, end in found] == ["handled", *(expected.get(end, "handled") for end in ends)]
    assert counts.handled + counts.failed + counts.lost == len(ends) + 1


async def _wait_for_ever(begun: list[str], ended: list[str], item: str) -> None:
    begun.append(item)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        ended.append(item)


@pytest.mark.parametrize("pause", [0, 1, 3])
def test_a_handler_that_was_begun_gets_the_cancellation_of_its_worker(pause: int) -> None:
    """Also one that comes before the worker has woken: its clean-up must run, and its item is lost."""
    begun: list[str] = []
    ended: list[str] = []

    async def scenario() -> list[tuple[Any, End]]:
        work = Work(lambda item: _wait_for_ever(begun, ended, item) if item == "long" else turns(0))
        delivery = work.delivery()
        await delivery.put("first")
        await delivery.join()
        await turns()
        workers: set[asyncio.Task[Any]] = set()

        def come() -> None:
            delivery.offer("long", is_alone=True)
            if not pause:
                workers.update(delivery.cancel())

        await outside(come)
        await turns(pause)
        workers.update(delivery.cancel())
        await asyncio.wait(workers)
        return work.ends

    assert asyncio.run(scenario()) == [("first", "handled"), ("long", "lost")]
    assert (begun, ended) == (["long"], ["long"])


class Message:
    """Something that can be watched; a tuple cannot."""


@pytest.mark.parametrize("how", ["first", "alone", "alone, and waits"])
def test_a_worker_that_waits_keeps_no_message_alive(how: str) -> None:
    """A peer that once sent 16 MiB, and then nothing, must not hold them."""

    async def scenario() -> Any:
        async def handle(item: Message) -> Message:
            if how.endswith("waits"):
                await turns(2)
            return item

        delivery = Work(handle).delivery()
        delivery._handling = Forgetful(handle)
        if how != "first":
            await delivery.put(Message())
            await delivery.join()
            await turns()
        message = Message()
        kept = weakref.ref(message)
        offered = [message]
        del message
        if how == "first":
            await delivery.put(offered.pop())
        else:
            await outside(lambda: delivery.offer(offered.pop(), is_alone=True))
        await delivery.join()
        await turns()
        gc.collect()
        delivery.cancel()
        return kept()

    assert asyncio.run(scenario()) is None


def test_nothing_else_starts_beside_a_handler_that_was_begun() -> None:
    """What a handler itself offers, and what comes while it waits, keeps its turn."""
    log: list[str] = []

    async def scenario() -> None:
        async def handle(item: str) -> None:
            log.append(item)
            if item == "outer":
                delivery.offer("inner", is_alone=True)
                log.append("outer ends")

        delivery = Work(handle).delivery()
        await delivery.put("first")
        await delivery.join()
        await turns()
        await outside(lambda: delivery.offer("outer", is_alone=True))
        await delivery.join()
        delivery.cancel()

    asyncio.run(scenario())
    assert log == ["first", "outer", "outer ends", "inner"]
