"""Imports a module of `slipstream._foreign` once more, after a name of its library is gone or has changed."""

import importlib.util
import sys
from types import ModuleType


def imported_again(name: str) -> ModuleType:
    """Import a module beside the one in use, which stays as it is."""
    spec = importlib.util.find_spec(f"slipstream._foreign.{name}")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert sys.modules.get(spec.name) is not module
    return module
