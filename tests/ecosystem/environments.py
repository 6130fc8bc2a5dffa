"""The two environments of a package: all but fastapi is the same in both.

The one for FastAPI is resolved from the index; the one for slipstream gets exactly those versions, loses the folder
`fastapi` (its metadata stay, for those who ask `importlib.metadata`) and a `.pth` file that installs the alias.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slipstream.compat import FASTAPI_VERSION
from slipstream.compat.alias import STANDIN
from tests.ecosystem.packages import Package

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"

Side = Literal["fastapi", "slipstream"]
SIDES: tuple[Side, ...] = ("fastapi", "slipstream")


class Unavailable(Exception):
    """A package that can't be fetched or installed here; the message is one line."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment and the package's source beside it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def source(self) -> Path:
        """Where the tests run: the unpacked source distribution, or an empty folder."""
        return self.folder / "source"

    @property
    def packages(self) -> Path:
        """The environment's site-packages."""
        return next((self.folder / "venv" / "lib").glob("python*")) / "site-packages"


def stamp(package: Package) -> str:
    """Digest of everything that decides what an environment holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    own = [package.name, package.version, package.extras, package.requirements, bool(package.tests)]
    facts = [own, FASTAPI_VERSION, project["dependencies"], sys.version, str(ROOT)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def prepare(package: Package, work: Path) -> dict[Side, Environment]:
    """Make both environments, or take those that are there.

    Raises:
        Unavailable: The index does not have it, or something does not install.
    """
    folder = work / f"{package.name}-{package.version}"
    sides = {side: Environment(folder / side) for side in SIDES}
    ready = folder / "ready"
    if ready.exists() and ready.read_text() == stamp(package):
        _set_up(sides)
        return sides
    shutil.rmtree(folder, ignore_errors=True)
    wanted = package.name
    if package.tests:
        archive = _fetch(package, work / "sdists")
        for environment in sides.values():
            _unpack(archive, environment.source)
        wanted = f"{package.name} @ {archive.resolve().as_uri()}"
    else:
        for environment in sides.values():
            environment.source.mkdir(parents=True)
    _make(sides["fastapi"])
    name, _, at = wanted.partition(" ")
    extras = f"[{','.join(package.extras)}]" if package.extras else ""
    _install(
        sides["fastapi"],
        [f"{name}{extras} {at}" if at else f"{name}{extras}=={package.version}",
         f"fastapi=={FASTAPI_VERSION}", "pytest", "pytest-timeout", *package.requirements],
    )  # fmt: skip
    frozen = _uv("pip", "freeze", "--python", str(sides["fastapi"].python), "--exclude-editable").splitlines()
    _make(sides["slipstream"])
    _install(sides["slipstream"], ["--no-deps", *frozen])
    shutil.rmtree(sides["slipstream"].packages / "fastapi")
    _set_up(sides)
    ready.write_text(stamp(package))
    return sides


def _set_up(sides: dict[Side, Environment]) -> None:
    for side, environment in sides.items():
        arm(environment.packages, side)
    _place_slipstream(sides["slipstream"].packages)


def arm(packages: Path, side: Side) -> None:
    """Write the `.pth` file: our plugins can be imported, and on slipstream's side the alias is on."""
    lines = [str(INSIDE)] + ([f"import sys; sys.path.insert(0, {STANDIN!r})"] if side == "slipstream" else [])
    (packages / "ecosystem.pth").write_text("\n".join(lines) + "\n")


def _place_slipstream(packages: Path) -> None:
    """Let slipstream be found where packages lie: tools take frames of other files for the program's own."""
    link = packages / "slipstream"
    if not link.is_symlink():
        link.symlink_to(ROOT / "src" / "slipstream")


def _make(environment: Environment) -> None:
    _uv("venv", "--python", sys.executable, str(environment.folder / "venv"))


def _install(environment: Environment, arguments: Sequence[str]) -> None:
    _uv("pip", "install", "--python", str(environment.python), "--editable", str(ROOT), *arguments)


def _fetch(package: Package, folder: Path) -> Path:
    """Path of the source distribution, from the index where this folder does not have it yet."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{package.name}-{package.version}.tar.gz"
    if not target.exists():
        downloads = folder / "new"
        shutil.rmtree(downloads, ignore_errors=True)
        _run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps",
             "--no-binary", package.name, "--dest", str(downloads), f"{package.name}=={package.version}"],
            "no source distribution to be had",
        )  # fmt: skip
        next(downloads.iterdir()).rename(target)
    return target


def _unpack(archive: Path, source: Path) -> None:
    """Unpack without the folder that an archive of this kind begins with."""
    source.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(source.parent / "unpacked", filter="data")
    next((source.parent / "unpacked").iterdir()).rename(source)
    (source.parent / "unpacked").rmdir()


def _uv(*arguments: str) -> str:
    return _run([sys.executable, "-m", "uv", "--quiet", *arguments], "does not install")


def _run(command: list[str], meaning: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    ended = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        raise Unavailable(f"{meaning}: {' '.join(lines)[-400:]}")
    return ended.stdout
