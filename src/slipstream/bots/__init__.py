"""The duplex face, above the links: drivers, adapters and bots.

import slipstream.bots as bots

bots.init()
bots.get_driver().register_adapter("echo", EchoBot)
bots.run()
"""

import importlib
import logging
from typing import Any

from slipstream.bots.adapters.bot import Bot
from slipstream.bots.config import Config, Env, EnvFiles
from slipstream.bots.drivers.base import Driver, ReverseDriver
from slipstream.bots.exception import NoBots, NotInitialized, NotThatKind, WrongSetting

logger = logging.getLogger("slipstream.bots")

_driver: Driver | None = None


def init(*, _env_file: EnvFiles | None = None, **settings: Any) -> None:
    """Read the settings and make the driver; a second call changes nothing, and says so in the log.

    Args:
        _env_file: What to read in place of `.env.{environment}`.
        settings: Settings that come before those of the environment and of files.

    Raises:
        WrongSetting: A setting cannot be read, or names no driver.
    """
    global _driver
    if _driver is not None:
        logger.warning("init() was called again; the driver stays as it is")
        return
    config = Config.load(_env_file, **settings)
    env = Env(environment=config.model_dump()["environment"])
    level = config.log_level or ("DEBUG" if config.debug else "INFO")
    logging.getLogger("slipstream").setLevel(_level(level))
    _driver = find_driver(config.driver)(env, config)


def _level(name: int | str) -> int:
    known = logging.getLevelNamesMapping()
    if isinstance(name, int) or name.isdecimal():
        return int(name)
    if name.upper() not in known:
        raise WrongSetting("the settings", "log_level", f"expected a number, or one of {', '.join(known)}")
    return known[name.upper()]


def find_driver(name: str) -> type[Driver]:
    """Find a driver's class.

    Args:
        name: "module" or "module:Class", the class being `Driver` by default; "~" stands for
            "slipstream.bots.drivers.", and "nonebot.drivers." for the same.

    Raises:
        WrongSetting: There is none, or it is none.
    """
    module, _, kind = name.partition(":")
    home = "slipstream.bots.drivers."
    full = home + module[1:] if module.startswith("~") else module
    full = home + full.removeprefix("nonebot.drivers.") if full.startswith("nonebot.drivers.") else full
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
        NotInitialized: `init()` has not been called; a ValueError.
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
    """Return the driver's application.

    Raises:
        NotInitialized: `init()` has not been called; a ValueError.
    """
    return _get_server().server_app


def get_asgi() -> Any:
    """Return what ASGI servers call.

    Raises:
        NotInitialized: `init()` has not been called; a ValueError.
    """
    return _get_server().asgi


def get_bot(self_id: str | None = None) -> Bot:
    """Return a bot that is connected.

    Args:
        self_id: Its id. Default: any bot.

    Raises:
        KeyError: It is not connected.
        NoBots: Any is asked for, and there is none; a ValueError.
        NotInitialized: `init()` has not been called; a ValueError.
    """
    bots = get_bots()
    if self_id is not None:
        return bots[self_id]
    for bot in bots.values():
        return bot
    raise NoBots


def get_bots() -> dict[str, Bot]:
    """Return the bots that are connected, by id.

    Raises:
        NotInitialized: `init()` has not been called; a ValueError.
    """
    return get_driver().bots


def run(*args: Any, **kwargs: Any) -> None:
    """Run the driver until told to stop; see its `run`.

    Raises:
        NotInitialized: `init()` has not been called; a ValueError.
    """
    if not logging.getLogger().handlers:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    get_driver().run(*args, **kwargs)


__all__ = ["find_driver", "get_app", "get_asgi", "get_bot", "get_bots", "get_driver", "init", "run"]
