"""What is private of NoneBot, where a release has it otherwise."""

from typing import Any

import pytest
from anyio.abc import TaskGroup
from nonebot.config import Config, Env

from slipstream._foreign.nonebot import lifespan_of
from slipstream.bots.nonebot import Driver
from slipstream.testclient import TestClient


@pytest.fixture
def driver() -> Driver:
    """A driver with the settings that everyone begins with."""
    return Driver(Env(environment="test"), Config(_env_file=None))


class Renamed(Driver):
    """A driver of a release that keeps its hooks by another name."""

    @property
    def _lifespan(self) -> Any:
        return self.hooks

    @_lifespan.setter
    def _lifespan(self, value: Any) -> None:
        self.hooks = value


class WithoutNames:
    """Hooks of a release that names nothing as we know it but what is public."""

    def __init__(self, kept: Any) -> None:
        self.kept = kept

    @property
    def task_group(self) -> TaskGroup:
        found: TaskGroup = self.kept.task_group
        return found

    def on_startup(self, hook: Any) -> Any:
        return self.kept.on_startup(hook)

    async def startup(self) -> None:
        await self.kept.startup()

    async def shutdown(self) -> None:
        await self.kept.shutdown()


def start(driver: Driver) -> list[str]:
    """Start and stop a driver one of whose hooks fails the first time; return what ran."""
    story: list[str] = []

    @driver.on_startup
    async def _() -> None:
        story.append("start")
        if len(story) == 1:
            raise RuntimeError("no such account")

    with pytest.raises(RuntimeError, match="no such account"), TestClient(driver.asgi):
        pass
    with TestClient(driver.asgi):
        story.append("serving")
    return story


def test_a_driver_may_be_started_again_after_a_start_that_failed(driver: Driver) -> None:
    """Tests of programs do it, with one driver for all of them."""
    assert start(driver) == ["start", "start", "serving"]


def test_hooks_by_another_name_are_found() -> None:
    """They run as before."""
    driver = Renamed(Env(environment="test"), Config(_env_file=None))
    assert "_lifespan" not in vars(driver)

    assert start(driver) == ["start", "start", "serving"]


def test_without_the_name_of_the_group_a_start_that_failed_still_ends(driver: Driver) -> None:
    """Only a second start is lost: NoneBot believes that the first one holds."""
    driver._lifespan = WithoutNames(driver._lifespan)  # type: ignore[assignment]  # by design

    with pytest.raises(RuntimeError, match="already started"):
        start(driver)


def test_a_driver_without_hooks_of_a_known_shape_is_an_error_that_names_nonebot(driver: Driver) -> None:
    """Nothing would start, and nobody would know why."""
    driver._lifespan = None  # type: ignore[assignment]  # by design

    with pytest.raises(RuntimeError, match="nonebot2"):
        lifespan_of(driver)
