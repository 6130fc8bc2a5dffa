"""What the pool uses of anyio's that has no public name; no other module uses any.

Where a name is missing or has changed, `probe` or the beginning of a worker raises, and everything goes through
`anyio.to_thread` (`pool.py`, `threads.py`).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.from_thread

try:
    from anyio._backends._asyncio import AsyncIOBackend, _task_states, find_root_task
    from anyio._core._eventloop import claim_worker_thread, threadlocals
except ImportError:  # another release of anyio: whatever needs them raises a NameError
    pass


def scope_of(task: Any) -> Any:
    """Return the innermost cancel scope that a task is in; None if it is in none."""
    state = _task_states.get(task)
    return None if state is None else state.cancel_scope


def root_task() -> "asyncio.Task[Any]":
    """Return the task with which the running loop's threads end."""
    return find_root_task()


def work_in(scope: Any) -> None:
    """Say in which cancel scope the present thread works; None for none."""
    threadlocals.current_cancel_scope = scope


@contextmanager
def worker_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Make the present thread one from which `anyio.from_thread` calls into the loop, and see whether it is."""
    with claim_worker_thread(AsyncIOBackend, loop):
        work_in(None)
        anyio.from_thread.check_cancelled()
        yield


def probe() -> None:
    """Raise an exception if the cancel scope of a task is not found."""
    with anyio.CancelScope() as scope:  # noqa: ASYNC100 - entering it is what is tried
        if scope_of(asyncio.current_task()) is not scope:
            raise LookupError("a task's cancel scope is elsewhere")
