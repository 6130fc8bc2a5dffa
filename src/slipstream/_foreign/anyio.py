"""Private names of anyio, which the pool of worker threads uses; imported when the first pool is opened.

Where a name is missing or has changed, `probe` or `worker_of` raises, and calls go through `anyio.to_thread`.
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
except ImportError:  # another release of anyio: the functions below raise a NameError
    pass


def scope_of(task: Any) -> Any:
    """Return the innermost cancel scope of a task; None if there is none."""
    state = _task_states.get(task)
    return None if state is None else state.cancel_scope


def root_task() -> "asyncio.Task[Any]":
    """Return the task of the running loop at whose end its worker threads end."""
    return find_root_task()


def work_in(scope: Any) -> None:
    """Set the cancel scope that `anyio.from_thread` finds in the present thread; None for none."""
    threadlocals.current_cancel_scope = scope


@contextmanager
def worker_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let `anyio.from_thread` call into the loop from the present thread, and try it."""
    with claim_worker_thread(AsyncIOBackend, loop):
        work_in(None)
        anyio.from_thread.check_cancelled()
        yield


def probe() -> None:
    """Raise an exception if the cancel scope of a task is not found."""
    with anyio.CancelScope() as scope:  # noqa: ASYNC100 - entering it is what is tried
        if scope_of(asyncio.current_task()) is not scope:
            raise LookupError("a task's cancel scope is elsewhere")
