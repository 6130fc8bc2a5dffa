"""Submodules that are imported when somebody reads them as attributes; in FastAPI, `import fastapi` imports them."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType


def submodules(package: str, *names: str) -> Callable[[str], ModuleType]:
    """Make the `__getattr__` of a package."""

    def read(name: str) -> ModuleType:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        return import_module(f"{package}.{name}")

    return read
