"""The queue between a bot's peer and its handler, without sockets."""

import asyncio
import contextvars
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from slipstream.bots.adapters.bot import Traffic
from slipstream.bots.delivery import Channel, QueueFull
from slipstream.bots.drivers import HTTPRequest

from .support import Script, bot_class

pytestmark = pytest.mark.anyio


def spawn(work: Any, name: str, context: contextvars.Context) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(work, name=name, context=context)


def bot_of(script: Script) -> Any:
    return bot_class(script)("1", HTTPRequest("1.1", "http", "/"))


class Gate:
    """Handlers that wait to be let through, and who runs."""

    def __init__(self, script: Script) -> None:
        self.open: dict[bytes, asyncio.Event] = {}
        self.running: list[bytes] = []
        self.most = 0
        script.handle = self.handle

    async def handle(self, bot: Any, message: bytes) -> None:
        self.running.append(message)
        self.most = max(self.most, len(self.running))
        await self.open.setdefault(message, asyncio.Event()).wait()
        self.running.remove(message)

    def let(self, message: bytes) -> None:
        self.open.setdefault(message, asyncio.Event()).set()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@settings(deadline=None, max_examples=60)
@given(
    yields=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    queue=st.integers(1, 5),
    pauses=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_with_one_handler_at_a_time_the_order_of_frames_is_the_order_of_handling(
    yields: list[int], queue: int, pauses: list[bool]
) -> None:
    """Whatever the handlers wait for, and however small the queue."""

    async def run() -> None:
        script = Script()

        async def handle(bot: Any, message: bytes) -> None:
            await turns(yields[int(message)])
            if yields[int(message)] == 3:
                raise RuntimeError("on purpose")

        script.handle = handle
        channel, bot = Channel("x", spawn, queue), bot_of(script)
        for number in range(len(yields)):
            await channel.deliver(bot, str(number).encode())
            await turns(2 if pauses[number] else 0)
        await channel.join()

        good = [str(number).encode() for number, count in enumerate(yields) if count != 3]
        assert await script.messages(len(good)) == good
        assert channel.high_water <= queue
        counts = channel.counts
        assert (counts.received, counts.handled, counts.failed) == (len(yields), len(good), len(yields) - len(good))

    asyncio.run(run())


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(st.sampled_from(["put", "turn", "let"]), max_size=40),
    policy=st.sampled_from(["drop_oldest", "close"]),
    concurrency=st.integers(1, 3),
)
def test_every_frame_is_counted_once(steps: list[str], policy: Any, concurrency: int) -> None:
    """Handled, failed, dropped, refused or lost; and never more handlers at once than allowed."""

    async def run() -> None:
        script = Script()
        gate = Gate(script)
        channel, bot = Channel("x", spawn, 2, policy, concurrency), bot_of(script)
        for number, step in enumerate(steps):
            if step == "put":
                try:
                    await channel.deliver(bot, str(number).encode())
                except QueueFull:
                    pass
            elif step == "let" and gate.running:
                gate.let(gate.running[0])
            await turns()
        channel.give_up()
        await turns()

        counts = channel.counts
        settled = counts.handled + counts.failed + counts.dropped + counts.refused + counts.lost
        assert settled == counts.received == steps.count("put")
        assert gate.most <= concurrency
        assert channel.unfinished == 0

    asyncio.run(run())


async def test_each_api_call_in_flight_lets_one_more_handler_start(script: Script) -> None:
    """And no more than one."""
    gate, traffic = Gate(script), Traffic()
    channel, bot = Channel("x", spawn), bot_of(script)
    traffic._on_change = channel.look
    channel.watch(traffic, is_strict=False)
    answer = asyncio.get_running_loop().create_future()

    for message in (b"1", b"2", b"3"):
        await channel.deliver(bot, message)
    await turns()
    alone = list(gate.running)
    call = asyncio.create_task(traffic.carry(answer))
    await turns()
    during = list(gate.running)
    answer.set_result("x")
    await call
    gate.let(b"2")
    await turns()
    after = list(gate.running)
    channel.give_up()

    assert (alone, during, after) == ([b"1"], [b"1", b"2"], [b"1"])


async def test_a_full_queue_keeps_the_reader_waiting_but_lets_an_answer_through(script: Script) -> None:
    """While a call is in flight the queue takes twice as many, or the answer would never be read."""
    Gate(script)
    traffic = Traffic()
    channel, bot = Channel("x", spawn, 1), bot_of(script)
    traffic._on_change = channel.look
    channel.watch(traffic, is_strict=True)

    await channel.deliver(bot, b"1")
    await turns()
    await channel.deliver(bot, b"2")
    blocked = asyncio.create_task(channel.deliver(bot, b"3"))
    await turns()
    was_blocked = not blocked.done()
    call = asyncio.create_task(traffic.carry(asyncio.get_running_loop().create_future()))
    await turns()

    assert was_blocked
    assert blocked.done()
    assert traffic.end() == 1
    assert await call == (False, None)
    assert channel.give_up() == 3


async def test_a_held_channel_starts_nothing(script: Script) -> None:
    """Until it is released; it is told when it is idle."""
    idle: list[bool] = []
    channel, bot = Channel("x", spawn, on_idle=lambda: idle.append(True)), bot_of(script)

    channel.hold()
    await channel.deliver(bot, b"1")
    await turns()
    held = script.got.empty()
    channel.release()
    await channel.join()
    await turns()

    assert held
    assert idle
    assert await script.messages(1) == [b"1"]


async def test_a_handler_whose_awaited_task_was_cancelled_has_failed_and_the_next_one_runs(script: Script) -> None:
    """A cancellation that is not meant for the handler does not end the queue."""

    async def handle(bot: Any, message: bytes) -> None:
        if message == b"1":
            raise asyncio.CancelledError

    script.handle = handle
    channel, bot = Channel("x", spawn), bot_of(script)

    await channel.deliver(bot, b"1")
    await channel.deliver(bot, b"2")

    assert await script.messages(1) == [b"2"]
    assert channel.counts.failed == 1


async def test_a_channel_that_stops_takes_only_what_may_answer_a_call(script: Script) -> None:
    """The others come too late."""
    Gate(script)
    traffic = Traffic()
    channel, bot = Channel("x", spawn), bot_of(script)
    traffic._on_change = channel.look
    channel.watch(traffic, is_strict=False)
    channel.is_stopping = True

    late = await channel.deliver(bot, b"1")
    call = asyncio.create_task(traffic.carry(asyncio.get_running_loop().create_future()))
    await turns()
    answer = await channel.deliver(bot, b"2")
    traffic.end()
    await call
    channel.give_up()

    assert (late, answer) == (False, True)
