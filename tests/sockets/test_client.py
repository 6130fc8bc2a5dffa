"""The library's client with the short way: over a real socket, it must do what the library does."""

from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from slipstream._sockets.client import LeanConnection
from tests.loops import LOOPS, run

KINDS: list[type[ClientConnection]] = [ClientConnection, LeanConnection]


async def transcript(kind: type[ClientConnection], compression: str | None, refuses: bool) -> list[Any]:
    """Play one conversation, and write down all that the client sees of it."""
    seen: list[Any] = []

    async def talk(peer: ServerConnection) -> None:
        await peer.send("text ü")
        await peer.send(b"\xff binary")
        await peer.send(["in ", "three ", "parts"])
        await peer.send("x" * 70_000)
        async for message in peer:
            await peer.send(message)
            if message == "close":
                await peer.send("last")
                await peer.close(4001, "enough")
                break

    def refuse(peer: ServerConnection, _: Any) -> Any:
        return peer.respond(403, "a reason that is longer than the head of the answer " * 40) if refuses else None

    async with serve(talk, "127.0.0.1", 0, compression=compression, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        try:
            async with connect(
                f"ws://127.0.0.1:{port}", create_connection=kind, compression=compression, proxy=None
            ) as client:
                seen += [await client.recv() for _ in range(4)]
                await client.ping()
                await client.send("as binary", text=False)
                seen.append(await client.recv())
                for sent in ("one", b"two", ["th", "ree"], "close"):
                    await client.send(sent)
                    seen.append(await client.recv())
                seen.append(await client.recv())
                for _ in range(2):
                    with pytest.raises(ConnectionClosed) as closed:
                        await client.recv()
                    seen.append(closed.value.rcvd)
                with pytest.raises(ConnectionClosed) as closed:
                    await client.send("too late")
                seen.append((closed.value.rcvd, client.close_code, client.close_reason))
        except Exception as error:
            seen.append((type(error), str(error)))
    return seen


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("refuses", [False, True], ids=["accepted", "refused"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_it_sees_what_the_library_sees(compression: str | None, refuses: bool, loop: Any) -> None:
    """Text, binary, fragments, long messages, pings, the end, a refusal."""
    transcripts: list[list[Any]] = []

    async def scenario() -> None:
        for kind in KINDS:
            transcripts.append(await transcript(kind, compression, refuses))

    run(scenario(), loop)
    assert len(transcripts[0]) == (1 if refuses else 13)
    assert transcripts[1] == transcripts[0]


@pytest.mark.parametrize(
    ("decode", "text", "binary"), [(None, "ü", b"b"), (True, "ü", "b"), (False, "ü".encode(), b"b")]
)
def test_a_message_comes_as_it_is_wanted(decode: bool | None, text: str | bytes, binary: str | bytes) -> None:
    """The library lets one choose, by `decode`."""

    async def talk(peer: ServerConnection) -> None:
        await peer.send("ü")
        await peer.send(b"b")

    async def scenario() -> None:
        async with serve(talk, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with connect(url, create_connection=LeanConnection, compression=None, proxy=None) as client:
                assert await client.recv(decode) == text
                assert await client.recv(decode) == binary

    run(scenario())


def test_plain_messages_take_the_short_way_and_compressed_ones_do_not() -> None:
    """By the transport's protocol one sees which."""

    async def echo(peer: ServerConnection) -> None:
        async for message in peer:
            await peer.send(message)

    async def is_short(compression: str | None) -> bool:
        async with serve(echo, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with connect(url, create_connection=LeanConnection, compression=compression, proxy=None) as client:
                assert isinstance(client, LeanConnection)
                sent_directly = client.wire.send("hello")
                if not sent_directly:
                    await client.send("hello")
                assert await client.recv() == "hello"
                return sent_directly and client.transport.get_protocol() is client.wire

    async def scenario() -> None:
        assert await is_short(None)
        assert not await is_short("deflate")

    run(scenario())
