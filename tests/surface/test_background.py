"""Background tasks by themselves; tests/differential/test_background.py has them in applications."""

import pytest

from slipstream.background import BackgroundTasks

pytestmark = pytest.mark.anyio


async def test_tasks_run_in_order_until_one_fails() -> None:
    """As FastAPI's: the rest may rely on what the one before has done."""
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("no")

    async def later(word: str, *, end: str) -> None:
        done.append(word + end)

    tasks = BackgroundTasks()
    tasks.add_task(done.append, "first")
    tasks.add_task(later, "second", end="!")
    tasks.add_task(fail)
    tasks.add_task(done.append, "never")
    with pytest.raises(RuntimeError, match="no"):
        await tasks()

    assert done == ["first", "second!"]
