"""Background tasks: one that fails neither stops nor hides the others."""

import logging

import pytest

from slipstream.background import BackgroundTasks

pytestmark = pytest.mark.anyio


async def test_a_failing_task_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    """In FastAPI the rest is lost without a word."""
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("no")

    async def later(word: str, *, end: str) -> None:
        done.append(word + end)

    tasks = BackgroundTasks()
    tasks.add_task(done.append, "first")
    tasks.add_task(fail)
    tasks.add_task(later, "last", end="!")
    with caplog.at_level(logging.ERROR, "slipstream"):
        await tasks()

    assert done == ["first", "last!"]
    assert "fail" in caplog.text
    assert "RuntimeError: no" in caplog.text
