"""Fixtures of NoneBot's drivers; none of them is the process's global one."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from nonebot.config import Config, Env

from slipstream.bots.nonebot import Driver

Make = Callable[..., Driver]


@pytest.fixture
def make() -> Make:
    """Make a driver with some settings."""

    def with_settings(**settings: Any) -> Driver:
        return Driver(Env(environment="test"), Config(_env_file=None, **settings))

    return with_settings


@pytest.fixture
def driver(make: Make) -> Driver:
    """A driver with the settings that everyone begins with."""
    return make()


@contextlib.asynccontextmanager
async def started(driver: Driver) -> AsyncIterator[Driver]:
    """Run a driver's lifespan without a server."""
    async with driver._lifespan:
        yield driver
