"""Clean up after a start of NoneBot that failed."""

import contextlib
from typing import Any

import anyio

from slipstream._foreign.nonebot import forget_group
from slipstream.logger import logger

_PATIENCE_S = 10.0
"""Seconds that the tasks of a failed start have to end."""


async def give_up(lifespan: Any) -> None:
    """Cancel the tasks of a failed start, and wait for them and the hooks that they call; no shutdown hook runs.

    The task group stays in its place meanwhile, since NoneBot starts those hooks in it. Tasks that have not ended
    after 10 seconds are logged and left to the end of the event loop.
    """
    try:
        group = lifespan.task_group
    except RuntimeError:
        return
    group.cancel_scope.cancel()
    own = anyio.get_current_task().id
    left: list[str | None] = []
    with anyio.move_on_after(_PATIENCE_S, shield=True):
        # a task group offers no wait with a limit
        while left := [task.name for task in anyio.get_running_tasks() if task.parent_id == own]:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    if left:
        logger.error("%d tasks are left of a start that failed: %s", len(left), ", ".join(map(str, left)))
        return
    try:
        with contextlib.suppress(Exception):
            await group.__aexit__(None, None, None)
    finally:
        forget_group(lifespan)
