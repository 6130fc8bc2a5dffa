"""The platform's end of a WebSocket does what it is told, wrong as that may be."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from slipstream.bots.testing import Ended, FakePlatform

pytestmark = pytest.mark.anyio


async def test_a_dropped_connection_ends_without_a_close_frame() -> None:
    """And one that is half-open does not end."""
    async with FakePlatform() as platform:
        async with connect(platform.ws_url) as bot:
            (await platform.connected()).drop()
            with pytest.raises(ConnectionClosed) as closed:
                await bot.recv()
        async with connect(platform.ws_url, ping_interval=0.02, ping_timeout=0.05, close_timeout=0.05) as bot:
            peer = await platform.connected()
            peer.half_open()
            with pytest.raises(ConnectionClosed) as timed_out:
                await bot.recv()

    assert closed.value.rcvd is None
    assert "ping timeout" in str(timed_out.value)


async def test_the_end_of_a_connection_is_told_to_whoever_waits() -> None:
    """With the bot's code and reason."""
    async with FakePlatform() as platform:
        async with connect(platform.ws_url) as bot:
            peer = await platform.connected()
            await bot.close(4002, "bye")
            with pytest.raises(Ended) as ended:
                await peer.receive()

        assert (ended.value.code, ended.value.reason) == (4002, "bye")
        assert not peer.is_open
