"""Generator endpoints as streams: how items are framed, and what happens between them."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from slipstream._engine.runtime.response import blank_response
from slipstream._engine.runtime.stream import closing_items, item_dumper, stream_wrapper

pytestmark = pytest.mark.anyio


def frame(item: Any) -> bytes:
    return json.dumps(item).encode()


async def numbers() -> AsyncIterator[int]:
    yield 1
    yield 2


def blocking() -> Iterator[int]:
    yield 1
    yield 2


async def body_of(response: Response) -> list[bytes]:
    assert isinstance(response, StreamingResponse)
    return [bytes(chunk) async for chunk in response.body_iterator]  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [numbers, blocking])
async def test_items_of_both_kinds_of_generator_come_in_order(make: Any) -> None:
    """A sync endpoint streams as well as an async one."""
    assert [item async for item in closing_items(make())] == [1, 2]


@pytest.mark.parametrize(("kind", "body"), [("jsonl", [b"1\n", b"2\n"]), ("sse", [b"1", b"2"])])
async def test_each_item_is_framed(kind: str, body: list[bytes]) -> None:
    """A line each, or whatever the event's frame is; in chunks of their own, so that clients see them at once."""
    response = stream_wrapper(kind, Response, frame, None)(numbers())

    assert await body_of(response) == body


async def test_raw_chunks_go_through_the_chosen_class_as_they_come() -> None:
    """A download, a proxied answer."""

    class Upper(StreamingResponse):
        media_type = "text/upper"

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"

    response = stream_wrapper("raw", Upper, None, 202)(chunks())

    assert (type(response), response.status_code, await body_of(response)) == (Upper, 202, [b"a"])


@pytest.mark.parametrize(
    ("kind", "media_type"), [("jsonl", "application/jsonl"), ("sse", "text/event-stream; charset=utf-8")]
)
async def test_a_stream_says_what_it_is(kind: str, media_type: str) -> None:
    """Events must not be kept by caches, nor gathered by proxies."""
    response = stream_wrapper(kind, Response, frame, None)(numbers())

    assert response.headers["content-type"] == media_type
    if kind == "sse":
        assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-cache", "no")


async def test_what_was_injected_holds_for_a_stream_too() -> None:
    """Status, headers and background tasks, as for any other reply."""
    injected, tasks = blank_response(), object()
    injected.status_code = 202
    injected.headers["x-a"] = "1"

    response = stream_wrapper("jsonl", PlainTextResponse, frame, 201)(numbers(), response=injected, background=tasks)

    assert (response.status_code, response.headers["x-a"], response.background) == (202, "1", tasks)


async def test_silence_between_events_is_filled_with_pings() -> None:
    """A proxy closes what is silent; the generator must not be cancelled by the time-out."""
    go_on = anyio.Event()

    async def slow() -> AsyncIterator[int]:
        await go_on.wait()
        yield 1

    chunks = []
    response: Any = stream_wrapper("sse", Response, frame, None, lambda: 0.001)(slow())
    async for chunk in response.body_iterator:
        chunks.append(chunk)
        if len(chunks) == 3:
            go_on.set()

    assert chunks[:3] == [b": ping\n\n"] * 3
    assert chunks[-1] == b"1"


async def test_an_exception_in_the_generator_reaches_the_server() -> None:
    """The stream ends torn, as the client must see it."""

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LookupError("gone")

    response: Any = stream_wrapper("jsonl", Response, frame, None)(failing())

    with pytest.raises(LookupError, match="gone"):
        await body_of(response)


@pytest.mark.parametrize("kind", ["jsonl", "sse"])
@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_the_generator_is_closed_when_the_client_leaves(kind: str, spec_version: str) -> None:
    """What it holds open would stay open until the garbage collector comes."""
    events: list[str] = []
    left = anyio.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            events.append("closed")

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            left.set()
            if spec_version == "2.4":
                raise OSError
            await anyio.sleep_forever()

    response = stream_wrapper(kind, Response, frame, None)(endless())
    try:
        await response({"type": "http", "asgi": {"spec_version": spec_version}}, receive, send)
    except ClientDisconnect:
        events.append("told")

    assert events[0] == "closed"


def test_an_item_is_validated_where_the_endpoint_says_what_it_yields() -> None:
    """And encoded like any result where it does not; NaN is no reason to fail midway."""
    checked = item_dumper(int, lambda value: f"<{value}>".encode(), lambda value: value)
    free = item_dumper(None, None, lambda value: value)

    assert checked("3") == b"<3>"
    assert free({"a": float("nan")}) == b'{"a": null}'
