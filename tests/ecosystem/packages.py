"""What `packages.toml` says."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Package:
    """A package and how its tests are run; the head of `packages.toml` explains each field."""

    name: str
    version: str
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    deselected: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    short: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if bool(self.tests) == bool(self.imports):
            raise ValueError(f"{self.name}: give either tests or imports")


def read(file: Path) -> list[Package]:
    """Packages in the order of the file."""
    return [Package(**{key: _frozen(value) for key, value in entry.items()}) for entry in _entries(file)]


def _entries(file: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads(file.read_text("utf-8"))["package"]
    return entries


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
