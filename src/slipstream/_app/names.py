"""What bears FastAPI's name while the package does: the classes of public modules, and the logger.

Programs print `fastapi.exceptions.HTTPException`, compare it, pickle by it, and listen to the logger "fastapi".
"""

import logging
import sys
from collections.abc import Callable
from functools import partial

from slipstream.logger import logger

_OWN = "slipstream"
_UNKNOWN_TO_FASTAPI = frozenset({"bots", "cli", "compat", "explain", "handlers", "links", "server"})

_undo: dict[str, Callable[[], None]] = {}
"""By module, and for the logger: what gives the own names back."""


def take(alias: str) -> None:
    """Give the logger, and the classes of all public modules that are imported by now, the alias's name."""
    if not _undo:
        _undo[alias] = partial(_name_logger, logger.name, logger.parent)
        _name_logger(alias, logging.getLogger(alias))
    for name in [name for name in sys.modules if name.startswith(_OWN + ".") and "._" not in name]:
        module = sys.modules[name]
        if name in _undo or module.__spec__ is None or name.split(".")[1] in _UNKNOWN_TO_FASTAPI:
            continue
        own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
        _name_classes(own, alias + name.removeprefix(_OWN))
        _undo[name] = partial(_name_classes, own, name)


def named_modules() -> list[str]:
    return [name for name in _undo if name.startswith(_OWN)]


def give_back() -> None:
    while _undo:
        _undo.popitem()[1]()


def _name_classes(classes: list[type], module: str) -> None:
    for cls in classes:
        cls.__module__ = module


def _name_logger(name: str, parent: logging.Logger | None) -> None:
    """Name our logger, below another: what is set on that one holds for ours."""
    logger.name, logger.parent = name, parent
    logger.setLevel(logger.level)  # forget what was decided below the other parent
