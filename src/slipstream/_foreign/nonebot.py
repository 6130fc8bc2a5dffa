"""Private names of NoneBot: the hooks of a driver with the task group they run beside, and types of arguments."""

from typing import Any

from nonebot.drivers import Driver

try:
    from nonebot.internal.driver import CookieTypes, HeaderTypes, QueryTypes, TimeoutTypes
except ImportError:  # for type checkers only
    CookieTypes = HeaderTypes = QueryTypes = TimeoutTypes = Any  # type: ignore[assignment]  # aliases


def lifespan_of(driver: Driver) -> Any:
    """Find what runs a driver's hooks, under whatever name this release keeps it: `startup`, `shutdown`, `task_group`.

    Raises:
        RuntimeError: This release keeps them in no way that is known.
    """
    kept = vars(driver)
    for found in (kept.get("_lifespan"), *kept.values()):
        hooks = (getattr(found, "startup", None), getattr(found, "shutdown", None))
        if all(map(callable, hooks)) and hasattr(type(found), "task_group"):
            return found
    raise RuntimeError("this release of nonebot2 keeps a driver's hooks where slipstream.bots.nonebot can't find them")


def forget_group(lifespan: Any) -> None:
    """Say that nothing is started any more; where that can't be said, the driver can't be started again."""
    if hasattr(lifespan, "_task_group"):
        lifespan._task_group = None


__all__ = ["CookieTypes", "HeaderTypes", "QueryTypes", "TimeoutTypes", "forget_group", "lifespan_of"]
