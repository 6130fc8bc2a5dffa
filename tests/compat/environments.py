"""Environments in which the real fastapi is not installed."""

import os
import subprocess
import sysconfig
import textwrap
import venv
from dataclasses import dataclass
from pathlib import Path

import slipstream

HERE = Path(sysconfig.get_path("purelib"))


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has what this one has, by links, but for fastapi."""

    folder: Path

    @property
    def packages(self) -> Path:
        return next((self.folder / "lib").glob("python*")) / "site-packages"

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run its interpreter."""
        clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return subprocess.run(
            [str(self.folder / "bin" / "python"), *arguments],
            cwd=cwd or self.folder, env=clean, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def says(self, code: str) -> str:
        """Run a program and return what it printed."""
        answer = self.run("-c", textwrap.dedent(code))
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.rstrip()

    def alias(self, what: str) -> str:
        """Run `slipstream alias` and return what it printed."""
        answer = self.run("-m", "slipstream", "alias", what)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def files(self) -> set[Path]:
        """List the files of the environment that nobody compiled."""
        return {path for path in self.folder.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}


def make_environment(folder: Path) -> Environment:
    """Make one, in a tenth of a second."""
    venv.create(folder / "venv", symlinks=True)
    environment = Environment(folder / "venv")
    linked = folder / "linked"
    linked.mkdir()
    for place in HERE.iterdir():
        if place.suffix != ".pth" and place.name.partition("-")[0] not in ("fastapi", "slipstream"):
            (linked / place.name).symlink_to(place)
    own = next(HERE.glob("slipstream-*.dist-info"))
    (linked / own.name).symlink_to(own)
    source = Path(slipstream.__file__).parents[1]
    (environment.packages / "linked.pth").write_text(f"{linked}\n{source}\n")
    return environment
