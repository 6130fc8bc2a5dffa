"""Chat rooms in the memory of one process. Knows no WebSocket.

Everyone in a room has an inbox of limited length; who falls that far behind is dropped, so that one
slow reader can neither hold up a room nor fill the memory.
"""

from collections.abc import AsyncIterator

import anyio

INBOX = 64
"""Frames that may wait for one member."""
MEMBERS = 50
"""Members of one room."""
ROOMS = 200
"""Rooms at a time."""


class CannotJoin(Exception):
    """The name is taken, or there is no space left; the message says which."""


class Member:
    """One person in one room: what is sent to them waits here until it is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._inlet, self._outlet = anyio.create_memory_object_stream[str](INBOX)

    def send(self, frame: str) -> None:
        try:
            self._inlet.send_nowait(frame)
        except anyio.WouldBlock:
            self._inlet.close()
        except anyio.ClosedResourceError:
            pass

    async def frames(self) -> AsyncIterator[str]:
        """Yield each frame in turn; end when the member has fallen behind."""
        async for frame in self._outlet:
            yield frame

    def close(self) -> None:
        self._inlet.close()
        self._outlet.close()


class Rooms:
    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, Member]] = {}

    def names(self, room: str) -> list[str]:
        return sorted(self._rooms.get(room, ()))

    def join(self, room: str, name: str) -> Member:
        if room not in self._rooms and len(self._rooms) >= ROOMS:
            raise CannotJoin("there are too many rooms")
        members = self._rooms.get(room, {})
        if len(members) >= MEMBERS:
            raise CannotJoin("this room is full")
        if name in members:
            raise CannotJoin("this name is taken")
        members[name] = Member(name)
        self._rooms[room] = members
        return members[name]

    def leave(self, room: str, member: Member) -> None:
        members = self._rooms[room]
        del members[member.name]
        member.close()
        if not members:
            del self._rooms[room]

    def send(self, room: str, frame: str) -> None:
        for member in self._rooms.get(room, {}).values():
            member.send(frame)
