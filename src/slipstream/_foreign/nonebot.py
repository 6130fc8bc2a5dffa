"""Private names of NoneBot: a driver's lifespan, which has its hooks and a task group, and types of arguments."""

from typing import Any

from nonebot.drivers import Driver

try:
    from nonebot.internal.driver import CookieTypes, HeaderTypes, QueryTypes, TimeoutTypes
except ImportError:  # for type checkers only
    CookieTypes = HeaderTypes = QueryTypes = TimeoutTypes = Any  # type: ignore[assignment]  # aliases


def lifespan_of(driver: Driver) -> Any:
    """Return the object of a driver that has `startup`, `shutdown` and `task_group`, whatever its name."""
    kept = vars(driver)
    for found in (kept.get("_lifespan"), *kept.values()):
        hooks = (getattr(found, "startup", None), getattr(found, "shutdown", None))
        if all(map(callable, hooks)) and hasattr(type(found), "task_group"):
            return found
    raise RuntimeError("this release of nonebot2 keeps a driver's hooks where slipstream.bots.nonebot can't find them")


def forget_group(lifespan: Any) -> None:
    """Let a driver be started again; without the private name, it cannot be."""
    if hasattr(lifespan, "_task_group"):
        lifespan._task_group = None


__all__ = ["CookieTypes", "HeaderTypes", "QueryTypes", "TimeoutTypes", "forget_group", "lifespan_of"]
