"""Bots of chat platforms: drivers, adapters and settings, above `slipstream.links`.

import slipstream.bots as bots

bots.init()
bots.get_driver().register_adapter("echo", EchoBot)
bots.run()
"""

import importlib
import logging
import re
from typing import Any

from slipstream.bots.adapters.bot import Bot
from slipstream.bots.config import Config, Env, EnvFiles
from slipstream.bots.drivers.base import Driver, ReverseDriver
from slipstream.bots.exception import NoBots, NotInitialized, NotThatKind, WrongSetting

logger = logging.getLogger("slipstream.bots")

_driver: Driver | None = None


def init(*, _env_file: EnvFiles | None = None, **settings: Any) -> None:
    """Read the settings and make the driver; a second call only logs a warning.

    Args:
        _env_file: Files to read in place of `.env.{environment}`.
        settings: Settings of a higher priority than those of the environment and of files.

    Raises:
        WrongSetting: A setting cannot be read, or there is no such driver.
        ValidationError: A setting does not take its value.
    """
    global _driver
    if _driver is not None:
        logger.warning("init() was called again; the driver stays as it is")
        return
    config = Config.load(_env_file, **settings)
    env = Env(environment=config.model_dump()["environment"])
    logging.getLogger("slipstream").setLevel(_level(config.log_level or ("DEBUG" if config.debug else "INFO")))
    _driver = find_driver(config.driver)(env, config)


def _level(name: int | str) -> int:
    known = logging.getLevelNamesMapping()
    if isinstance(name, int) or name.isdecimal():
        return int(name)
    if name.upper() not in known:
        raise WrongSetting("the settings", "log_level", f"expected a number, or one of {', '.join(known)}")
    return known[name.upper()]


def find_driver(name: str) -> type[Driver]:
    """Import a driver's class.

    Args:
        name: "module" or "module:Class", by default the class `Driver`; "~" and "nonebot.drivers." at the beginning
            stand for "slipstream.bots.drivers.".

    Raises:
        WrongSetting: There is no such module or class, or the class is not a driver.
    """
    module, _, kind = name.partition(":")
    full = re.sub(r"^(~|nonebot\.drivers\.)", "slipstream.bots.drivers.", module)
    if not all(part.isidentifier() for part in full.split(".")):
        raise WrongSetting("the settings", "driver", f"{full!r} is no name of a module")
    try:
        found = getattr(importlib.import_module(full), kind or "Driver", None)
    except ModuleNotFoundError as missing:
        if missing.name is None or not full.startswith(missing.name):
            raise
        raise WrongSetting("the settings", "driver", f"there is no module {full!r}") from missing
    if not (isinstance(found, type) and issubclass(found, Driver)):
        raise WrongSetting("the settings", "driver", f"{full}:{kind or 'Driver'} is no driver of slipstream.bots")
    return found


def get_driver() -> Driver:
    """Return the driver.

    Raises:
        NotInitialized: `init()` has not been called; a ValueError, as for all functions below.
    """
    if _driver is None:
        raise NotInitialized
    return _driver


def _get_server() -> ReverseDriver:
    driver = get_driver()
    if not isinstance(driver, ReverseDriver):
        raise NotThatKind(driver.type, "server")
    return driver


def get_app() -> Any:
    """Return the driver's application."""
    return _get_server().server_app


def get_asgi() -> Any:
    """Return the application that ASGI servers call."""
    return _get_server().asgi


def get_bot(self_id: str | None = None) -> Bot:
    """Return a connected bot: the one with the id, by default any.

    Raises:
        KeyError: The bot is not connected.
        NoBots: No bot is connected, and no id was given; a ValueError.
    """
    bots = get_bots()
    if self_id is not None:
        return bots[self_id]
    if not bots:
        raise NoBots
    return next(iter(bots.values()))


def get_bots() -> dict[str, Bot]:
    """Return the connected bots by id."""
    return get_driver().bots


def run(*args: Any, **kwargs: Any) -> None:
    """Run the driver until a signal stops it; the arguments are those of the driver's `run`."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    get_driver().run(*args, **kwargs)


__all__ = ["find_driver", "get_app", "get_asgi", "get_bot", "get_bots", "get_driver", "init", "run"]
