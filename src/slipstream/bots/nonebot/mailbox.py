"""Where messages wait for whoever fetches them, and how a task that waits gets one."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn


class Mailbox:
    """A queue without a bound; any number of tasks may fetch from it.

    A task that waits is given its item and runs on in the same instant, so no item is ever on its way to a task that
    may be cancelled meanwhile.

    Args:
        loop: The loop of the tasks.
    """

    __slots__ = ("_first", "_loop", "_others", "items")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.items: deque[Any] = deque()
        """What waits, the oldest first. Who adds to it must call `wake` before it returns to the loop."""
        self._first: Turn | None = None  # who waits; nearly always there is one at most
        self._others: list[Turn] = []
        self._loop = loop

    def __len__(self) -> int:
        return len(self.items)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self.items

    def put_nowait(self, item: Any) -> None:
        """Put in an item; one who waits gets it in the next turn of the loop."""
        self.items.append(item)
        self._loop.call_soon(self.wake, True)

    def put_back(self, item: Any) -> None:
        """Put in an item before all others: the end of a connection, which everyone is to see."""
        self.items.appendleft(item)
        self._loop.call_soon(self.wake, True)

    def wake(self, in_turn: bool = False) -> None:
        """Give an item to the first who waits, and run its task until it waits again.

        An item that has come alone is given at once. Several items, and one that comes while a task runs, wait for
        the next turn of the loop, one task a turn: a flood must not keep other links from theirs. The task may write
        to its connection and close it; a protocol therefore calls this as the last thing that it does with bytes.

        Args:
            in_turn: Whether the loop itself calls.
        """
        turn = self._first
        if turn is None or not self.items:
            return
        if not in_turn and (len(self.items) > 1 or asyncio.current_task(self._loop) is not None):
            self._loop.call_soon(self.wake, True)
            return
        self._first = self._others.pop(0) if self._others else None
        item = self.items.popleft()
        try:
            turn.context.run(turn.come, item)
        except (SystemExit, KeyboardInterrupt) as error:
            self._loop.call_soon(_raise, error)  # a transport would take it for an error of the protocol
        except RuntimeError:
            if turn.done():
                raise
            # somebody runs a callback of the loop within the task's own context
            self.items.appendleft(item)
            if self._first is not None:
                self._others.insert(0, self._first)
            self._first = turn
            self._loop.call_soon(self.wake, True, context=contextvars.Context())
            return
        if self.items and self._first is not None:
            self._loop.call_soon(self.wake, True)

    def turn(self) -> "Turn":
        """Stand in line for an item; to be awaited at once, and only if there is none."""
        turn = Turn(loop=self._loop)
        turn.mailbox = self
        if self._first is None:
            self._first = turn
        else:
            self._others.append(turn)
        return turn

    def leave(self, turn: "Turn") -> None:
        """Go from the line."""
        if turn is self._first:
            self._first = self._others.pop(0) if self._others else None
        else:
            self._others.remove(turn)

    async def get(self) -> Any:
        """Take out the oldest item; wait for one if there is none."""
        return self.items.popleft() if self.items else await self.turn()


class Turn(asyncio.Future[Any]):
    """A place in the line before a mailbox; the task that awaits it runs when `come` says so, and not the loop."""

    __slots__ = ("_call", "context", "mailbox")

    context: contextvars.Context
    """That of the task."""
    mailbox: Mailbox
    _call: Callable[["Turn"], object]

    def add_done_callback(self, fn: Any, /, *, context: contextvars.Context | None = None) -> None:
        """Note what makes the task run on."""
        self._call = fn
        self.context = contextvars.copy_context() if context is None else context

    def come(self, item: Any) -> None:
        """Run the task, with the item; the context must be entered."""
        self.set_result(item)
        self._call(self)

    def cancel(self, msg: Any | None = None) -> bool:
        """Leave the line; the task learns of it in the next turn of the loop."""
        if not super().cancel(msg):
            return False
        self.mailbox.leave(self)
        self.get_loop().call_soon(self._call, self, context=self.context)
        return True


def _raise(error: BaseException) -> NoReturn:
    raise error
