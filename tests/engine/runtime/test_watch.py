"""A `send` that notices the start of a response."""

import pytest

from slipstream._engine.runtime.response import Watch
from slipstream._engine.types import Message

pytestmark = pytest.mark.anyio


async def test_only_the_start_of_a_response_counts_as_one() -> None:
    """Early hints go out before it, and an exception after them can still be answered."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    watch = Watch(send)

    await watch({"type": "http.response.early_hint", "links": []})
    assert not watch.started

    await watch({"type": "http.response.start", "status": 200, "headers": []})
    assert watch.started
    assert [message["type"] for message in sent] == ["http.response.early_hint", "http.response.start"]


async def test_what_an_outer_layer_knows_can_be_told() -> None:
    """A response that began before this layer was there has begun for it, too."""

    async def send(message: Message) -> None: ...

    assert Watch(send, started=True).started
