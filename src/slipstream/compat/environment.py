"""`slipstream alias on|off|status`: the alias for every program of an environment.

`turn_on` installs a distribution by hand: a package `fastapi` in a folder of its own, a `.pth` file that puts the
folder on `sys.path`, metadata, and the command `fastapi`. An interpreter pays nothing for it until it imports fastapi.
The modules in the folder are for type checkers; at run time the first import puts the finder in place, which comes
before them.
"""

import importlib.machinery
import importlib.metadata
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from slipstream.compat.alias import FASTAPI_VERSION, METADATA, STANDIN

_FOLDER = "slipstream_alias"
_PTH = "slipstream-alias.pth"
_INSTALLER = "slipstream alias\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: slipstream alias\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COMMAND = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from fastapi.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""
"""Read by the shell, which takes an interpreter's path of any length and with spaces, and then by Python."""


@dataclass(frozen=True)
class State:
    """What is installed in an environment."""

    packages: Path
    """Its site-packages, where `turn_on` writes."""
    on: bool
    metadata: str | None
    """Version of fastapi that `importlib.metadata` finds before fastapi is imported."""
    real: Path | None
    """The real fastapi's folder; the alias hides it."""


def read_state() -> State:
    """Look at the environment of this interpreter."""
    packages = Path(sysconfig.get_path("purelib"))
    mine = {STANDIN, str(packages / _FOLDER)}
    path = [place for place in sys.path if place not in mine]
    spec = importlib.machinery.PathFinder.find_spec("fastapi", path)
    found = next(iter(importlib.metadata.distributions(name="fastapi", path=[*path, str(packages)])), None)
    return State(
        packages,
        on=(packages / _PTH).exists() and (packages / _FOLDER).exists(),
        metadata=found.version if found else None,
        real=Path(spec.origin).parent if spec is not None and spec.origin else None,
    )


def turn_on() -> None:
    """Let `import fastapi` give slipstream in every program of the environment, and replace what an earlier call wrote.

    Raises OSError where the environment cannot be written to, as `turn_off` does.
    """
    turn_off()
    before = read_state()
    # The metadata of a real fastapi stay as they are, so that pip knows what it has installed.
    name = "fastapi" if before.metadata is None else _FOLDER
    info = f"{name}-{FASTAPI_VERSION}.dist-info"
    line = f"import sys; sys.path.insert(0, {str(before.packages / _FOLDER)!r})\n" if before.real else ""
    files = {
        f"{info}/METADATA": METADATA.joinpath("METADATA").read_text("utf-8").replace("Name: fastapi", f"Name: {name}"),
        f"{info}/INSTALLER": _INSTALLER,
        f"{info}/WHEEL": _WHEEL,
        **{f"{_FOLDER}/fastapi/{file}": text for file, text in _modules().items()},
        _PTH: f"{_FOLDER}\n{line}",
    }
    if name == "fastapi" and os.name == "posix":
        command = os.path.relpath(Path(sysconfig.get_path("scripts"), "fastapi"), before.packages)
        files[command] = _COMMAND.format(python=sys.executable)
    files = {f"{info}/RECORD": "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD")), **files}
    for file, text in files.items():
        path = before.packages / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        if text.startswith("#!"):
            path.chmod(0o755)


def turn_off() -> None:
    """Remove what `turn_on` wrote, also where it did not get to its end."""
    packages = read_state().packages
    for installer in packages.glob("*.dist-info/INSTALLER"):
        if installer.read_text("utf-8") == _INSTALLER:
            for line in installer.with_name("RECORD").read_text("utf-8").splitlines():
                (packages / line.split(",")[0]).unlink(missing_ok=True)
            installer.parent.rmdir()
    shutil.rmtree(packages / _FOLDER, ignore_errors=True)


def _modules() -> dict[str, str]:
    """Write the package `fastapi`: a module for each public one of slipstream's, for type checkers."""
    own = Path(STANDIN).parents[1]
    modules = {"__init__.py": Path(STANDIN, "fastapi", "__init__.py").read_text("utf-8"), "py.typed": ""}
    for file in sorted(own.rglob("*.py")):
        inside = file.relative_to(own)
        parts = [part for part in inside.with_suffix("").parts if part != "__init__"]
        if parts and not file.is_relative_to(STANDIN) and not any(part.startswith("_") for part in parts):
            modules[inside.as_posix()] = f"from {'.'.join(['slipstream', *parts])} import *\n"
    return modules
