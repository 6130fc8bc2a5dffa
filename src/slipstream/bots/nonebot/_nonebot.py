"""Everything private of NoneBot that the driver uses: the hooks of a driver, and the task group they run beside."""

import contextlib
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup
from nonebot.drivers import Driver

from slipstream.logger import logger

_PATIENCE_S = 10.0
"""Seconds that tasks have to end after a start that failed."""


class Lifespan(Protocol):
    """NoneBot's hooks. While they are started, the tasks of adapters run in a task group."""

    @property
    def task_group(self) -> TaskGroup:
        """The group; raises RuntimeError while nothing is started."""
        ...

    async def startup(self) -> None:
        """Open the group, then run the hooks of start."""
        ...

    async def shutdown(self) -> None:
        """Run the hooks of shutdown, then cancel the group."""
        ...


def lifespan_of(driver: Driver) -> Lifespan:
    """Find the hooks of a driver, under whatever name this release of NoneBot keeps them.

    Raises:
        RuntimeError: This release keeps them in no way that is known.
    """
    kept = vars(driver)
    for found in (kept.get("_lifespan"), *kept.values()):
        hooks = (getattr(found, "startup", None), getattr(found, "shutdown", None))
        if all(map(callable, hooks)) and hasattr(type(found), "task_group"):
            return found  # type: ignore[no-any-return]  # has the shape
    raise RuntimeError("this release of nonebot2 keeps a driver's hooks where slipstream.bots.nonebot can't find them")


async def give_up(lifespan: Lifespan) -> None:
    """End the tasks of a start that failed, and let hooks that they call while they end run; no hook of shutdown runs.

    The group stays in its place meanwhile, since NoneBot starts those hooks in it. Tasks that are still there after
    10 seconds are logged and left to the end of the event loop.
    """
    try:
        group = lifespan.task_group
    except RuntimeError:
        return
    group.cancel_scope.cancel()
    own = anyio.get_current_task().id
    left: list[str | None] = []
    with anyio.move_on_after(_PATIENCE_S, shield=True):
        # the group has nothing that can be waited for within a limit
        while left := [task.name for task in anyio.get_running_tasks() if task.parent_id == own]:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    if left:
        logger.error("%d tasks are left of a start that failed: %s", len(left), ", ".join(map(str, left)))
        return
    try:
        with contextlib.suppress(Exception):
            await group.__aexit__(None, None, None)
    finally:
        # NoneBot sets it to None in `shutdown` alone; without that the driver can't be started again
        if hasattr(lifespan, "_task_group"):
            state: Any = lifespan
            state._task_group = None
