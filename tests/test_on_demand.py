"""Modules that are there as attributes after the package alone has been imported, as in FastAPI."""

import subprocess
import sys

import pytest

import slipstream.openapi

PROGRAM = """
from functools import reduce
from pathlib import Path
import {package}
folder = Path({package}.__file__).parent
for file in folder.rglob("*.py"):
    parts = file.relative_to(folder).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    try:
        reduce(getattr, filter(None, name.split(".")), {package})
    except AttributeError:
        continue
    print(name)
"""


def attributes(package: str, before: str = "") -> set[str]:
    """Return the submodules that can be read as attributes after `import PACKAGE`, without the package's name."""
    done = subprocess.run(
        [sys.executable, "-c", before + PROGRAM.format(package=package)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_modules_of_fastapi_are_attributes() -> None:
    theirs = {name for name in attributes("fastapi") if not any(part.startswith("_") for part in name.split("."))}
    assert {"security.oauth2", "openapi.utils", "dependencies.models"} <= theirs
    assert theirs - attributes("slipstream") == set()
    assert theirs - attributes("fastapi", "import slipstream.compat; slipstream.compat.install()\n") == set()


def test_what_is_no_module_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"module 'slipstream.openapi' has no attribute 'nothing'"):
        _ = slipstream.openapi.nothing  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"module 'slipstream' has no attribute 'nothing'"):
        _ = slipstream.nothing  # type: ignore[attr-defined]
