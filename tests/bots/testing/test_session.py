"""What went over a WebSocket can be kept and sent again."""

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from slipstream.bots.testing import FakePlatform, Line, Session

pytestmark = pytest.mark.anyio


async def test_a_session_is_recorded_and_replayed(tmp_path: Path) -> None:
    """Both sides, both kinds, and the end; a file holds it."""
    async with FakePlatform() as platform:
        async with connect(platform.ws_url) as bot:
            peer = await platform.connected()
            await peer.send("ask")
            await bot.recv()
            await bot.send(b"\xffanswer")
            await peer.receive()
            await peer.close(4001, "enough")
        peer.session.save(tmp_path / "session.jsonl")
        session = Session.load(tmp_path / "session.jsonl")
        async with connect(platform.ws_url) as bot:
            replay = asyncio.create_task((await platform.connected()).replay(session))
            heard = await bot.recv()
            await bot.send("whatever")
            with pytest.raises(ConnectionClosedError) as closed:
                await bot.recv()
            await replay

    assert session.lines[:3] == [
        Line("platform", "text", "ask"),
        Line("bot", "binary", b"\xffanswer"),
        Line("platform", "close", "4001 enough"),
    ]
    assert heard == "ask"
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")
