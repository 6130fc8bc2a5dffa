"""What the pool uses of anyio's that has no public name, and whether it is what we know.

A cancel scope that a task is in, what tells `anyio.from_thread` where it is, and the task with which a loop's threads
end. No other module uses a private name of anyio. Where one is missing or has changed, everything goes through
`anyio.to_thread` (`threads.py`).
"""

import asyncio
from contextlib import AbstractContextManager
from threading import Thread
from typing import Any

import anyio
import anyio.from_thread

IMPORT_ERROR: ImportError | None = None
try:
    from anyio._backends._asyncio import AsyncIOBackend, _task_states, find_root_task
    from anyio._core._eventloop import claim_worker_thread, threadlocals
except ImportError as exc:  # another release of anyio
    IMPORT_ERROR = exc

PROBE_S = 5.0
"""How long a worker may take to set itself up when it is tried, in seconds."""


class Unfit(Exception):
    """A private name of anyio's does something else than we know."""


def scope_of(task: "asyncio.Task[Any]") -> Any:
    """Return the innermost cancel scope that a task is in; None if it is in none."""
    state = _task_states.get(task)
    return None if state is None else state.cancel_scope


def root_task() -> "asyncio.Task[Any]":
    """Return the task with which the running loop's threads end."""
    return find_root_task()


def worker_of(loop: asyncio.AbstractEventLoop) -> AbstractContextManager[Any]:
    """Make the present thread one from which `anyio.from_thread` calls into the loop."""
    return claim_worker_thread(AsyncIOBackend, loop)


def work_in(scope: Any) -> None:
    """Say in which cancel scope the present thread works; None for none."""
    threadlocals.current_cancel_scope = scope


def probe(loop: asyncio.AbstractEventLoop) -> None:
    """Try everything here, in a task of the running loop; takes the time to start a thread.

    Raises:
        Exception: Something is missing, or is another thing.
    """
    if IMPORT_ERROR is not None:
        raise IMPORT_ERROR
    with anyio.CancelScope() as scope:  # noqa: ASYNC100 - entering it is what is tried
        if scope_of(asyncio.current_task()) is not scope:  # type: ignore[arg-type]  # the caller is a task
            raise Unfit("the cancel scope of a task is not found")
    if not isinstance(root_task(), asyncio.Future):
        raise Unfit("the root task is none")
    scope.cancel()
    outcome: list[BaseException | None] = []
    worker = Thread(target=_try_worker, args=(loop, scope, outcome), name="slipstream probe", daemon=True)
    worker.start()
    worker.join(PROBE_S)
    if not outcome:
        raise Unfit("a worker does not set itself up")
    if outcome[0] is not None:
        raise outcome[0]


def _try_worker(loop: asyncio.AbstractEventLoop, cancelled: Any, outcome: list[BaseException | None]) -> None:
    """Do in a thread what a worker does, and what the code in it may ask."""
    try:
        with worker_of(loop):
            work_in(None)
            anyio.from_thread.check_cancelled()
            work_in(cancelled)
            try:
                anyio.from_thread.check_cancelled()
            except asyncio.CancelledError:
                outcome.append(None)
            else:
                raise Unfit("a worker does not hear that its request is cancelled")
    except BaseException as exc:
        outcome.append(exc)
