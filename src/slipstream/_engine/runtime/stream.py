"""Generator endpoints as streaming responses: JSON Lines, Server-Sent Events, raw chunks."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, cast

import anyio
import anyio.lowlevel
from starlette.responses import Response, StreamingResponse

from slipstream._engine.runtime.response import finite, make_response
from slipstream._engine.runtime.threads import iterate
from slipstream._engine.types import Send

KEEPALIVE = b": ping\n\n"
"""The comment that is sent while an event stream is silent, so that no proxy closes the connection."""

PING_INTERVAL_S = 15.0
"""Seconds of silence before a ping, by default; the standard advises about this much."""


def usual_interval() -> float:
    return PING_INTERVAL_S


def item_dumper(
    check: Callable[[Any], Any] | None, write: Callable[..., bytes] | None, jsonable: Callable[[Any], Any]
) -> Callable[[Any], bytes]:
    """Make the function that encodes one item; `check` and `write` are given if the endpoint declares its items."""

    def dump(item: Any) -> bytes:
        if check is not None and write is not None:
            return write(check(item))
        return json.dumps(finite(jsonable(item))).encode()

    return dump


async def closing_items(generator: Any) -> AsyncGenerator[Any]:
    """Iterate a sync or async generator and close it; cancellation can come between items."""
    if not hasattr(generator, "__anext__"):
        async with aclosing(iterate(iter(generator))) as items:
            async for item in items:
                yield item
        return
    try:
        async for item in generator:
            yield item
            await anyio.lowlevel.checkpoint()
    finally:
        if hasattr(generator, "aclose"):
            await generator.aclose()


class ClosingStream(StreamingResponse):
    """Closes its generator at the end, also after an exception, so that the endpoint's clean-up runs at once."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            # In the task that has iterated, since the generator may have cancel scopes open.
            await cast(AsyncGenerator[Any], self.body_iterator).aclose()


def event_stream(content: Any, **options: Any) -> Response:
    reply = ClosingStream(content, media_type="text/event-stream", **options)
    reply.headers["Cache-Control"] = "no-cache"
    reply.headers["X-Accel-Buffering"] = "no"
    return reply


def stream_wrapper(
    kind: str,
    make: Callable[..., Any],
    frame: Callable[[Any], bytes] | None,
    status: int | None,
    ping_interval: Callable[[], float] = usual_interval,
) -> Callable[..., Any]:
    """Make the function that puts a generator into a streaming response: "jsonl", "sse" or "raw".

    `make` is the response class for raw chunks, `frame` encodes other items; `status` None is the class's default.
    """

    def wrap(generator: Any, response: Any = None, background: Any = None) -> Any:
        if kind == "raw" or frame is None:
            # A response class of the user's may iterate a plain generator by itself.
            content = closing_items(generator) if hasattr(generator, "__anext__") else generator
            made = partial(make, content=content)
        elif kind == "jsonl":
            made = partial(ClosingStream, _lines(generator, frame), media_type="application/jsonl")
        else:
            made = partial(event_stream, events(generator, frame, ping_interval))
        return make_response(made, status, response, background)

    return wrap


async def _lines(generator: Any, frame: Callable[[Any], bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(closing_items(generator)) as items:
        async for item in items:
            yield frame(item) + b"\n"


async def events(
    generator: Any, frame: Callable[[Any], bytes], ping_interval: Callable[[], float]
) -> AsyncGenerator[bytes]:
    """Yield events, and a ping after each silence; a time-out would cancel the generator, so it has its own task."""
    send, receive = anyio.create_memory_object_stream[bytes](1)

    async def produce() -> None:
        async with send, aclosing(closing_items(generator)) as items:
            async for item in items:
                await send.send(frame(item))

    async with anyio.create_task_group() as tasks, receive:
        tasks.start_soon(produce)
        try:
            while True:
                try:
                    with anyio.fail_after(ping_interval()):
                        event = await receive.receive()
                except TimeoutError:
                    event = KEEPALIVE
                yield event
                await anyio.lowlevel.checkpoint()
        except (anyio.EndOfStream, GeneratorExit):
            pass  # ended, or closed early, which the task group would raise as an ExceptionGroup
        tasks.cancel_scope.cancel()
