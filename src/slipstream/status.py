"""HTTP status codes and WebSocket close codes by name: Starlette's list, its old names included."""

from typing import Any

from starlette import status as _status
from starlette.status import *  # noqa: F403  # a list of constants


def __getattr__(name: str) -> Any:
    return getattr(_status, name)


def __dir__() -> list[str]:
    return dir(_status)
