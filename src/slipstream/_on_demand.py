"""Submodules that are imported when somebody reads them as attributes; in FastAPI, `import fastapi` imports them."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def submodules(package: Mapping[str, Any], *names: str) -> Callable[[str], ModuleType]:
    """Make the `__getattr__` of a package, given its globals: under an alias, its `__name__` is the alias's.

    Packages put it into `globals()`, for type checkers not to take every misspelt attribute for a module.
    """

    def read(name: str) -> ModuleType:
        own = package["__name__"]
        if name not in names:
            raise AttributeError(f"module {own!r} has no attribute {name!r}", name=name)
        return import_module(f"{own}.{name}")

    return read
