"""Work that is done after the response has been sent."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import ParamSpec

from starlette.background import BackgroundTask, BackgroundTasks as StarletteBackgroundTasks

P = ParamSpec("P")  # a name of FastAPI's module

run_task: ContextVar[Callable[[BackgroundTask], Awaitable[None]] | None] = ContextVar("run_task", default=None)
"""Runs each task of the current request; None where nobody observes it, and tasks are called."""


class BackgroundTasks(StarletteBackgroundTasks):
    """Tasks that run one after another once the response has been sent, plain `def` functions in a worker thread.

    A task that fails ends them: the server gets its exception, and the following ones do not run.
    """

    tasks: list[BackgroundTask]

    async def __call__(self) -> None:
        """Run all tasks in the order they were added."""
        run = run_task.get()
        for task in self.tasks:
            await (task() if run is None else run(task))
