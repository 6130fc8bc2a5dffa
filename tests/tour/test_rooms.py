"""Rooms without any network: what happens to members who do not read."""

import sys
from collections.abc import Iterator

import anyio
import pytest

from .support import EXAMPLES


@pytest.fixture(autouse=True)
def tour_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(EXAMPLES)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "tour"]:
        del sys.modules[name]


@pytest.mark.anyio
async def test_who_falls_behind_is_let_go_and_the_others_are_not_held_up() -> None:
    """A bounded inbox: what waits is still delivered, what comes later is not, and memory does not grow."""
    from tour.rooms import INBOX, Rooms

    rooms = Rooms()
    slow, quick = rooms.join("lobby", "slow"), rooms.join("lobby", "quick")
    heard: list[str] = []
    quick_frames = quick.frames()
    with anyio.fail_after(5):
        for number in range(INBOX + 10):
            rooms.send("lobby", str(number))
            heard.append(await anext(quick_frames))
        kept = [frame async for frame in slow.frames()]
    rooms.leave("lobby", slow)
    rooms.leave("lobby", quick)

    assert heard == [str(number) for number in range(INBOX + 10)]
    assert kept == heard[:INBOX]


@pytest.mark.anyio
async def test_an_empty_room_is_forgotten() -> None:
    """Names of rooms come from outside: none may stay in memory when nobody is in it."""
    from tour.rooms import ROOMS, CannotJoin, Rooms

    rooms = Rooms()
    members = [(f"room-{number}", rooms.join(f"room-{number}", "Ann")) for number in range(ROOMS)]
    with pytest.raises(CannotJoin, match="too many rooms"):
        rooms.join("one-more", "Ann")
    for room, member in members:
        rooms.leave(room, member)

    assert rooms.names("room-1") == []
    rooms.leave("one-more", rooms.join("one-more", "Ann"))
