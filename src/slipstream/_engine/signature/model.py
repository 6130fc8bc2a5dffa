"""What an endpoint or a dependency asks for, as data.

`read.py` makes a `Signature` from a callable; nothing after it looks at the callable's annotations again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from slipstream._engine.abc import DependencyMarker
from slipstream._engine.types import CallKind, ContextKind, SlotSource


@dataclass(frozen=True)
class Origin:
    """Where a user wrote a callable; printed in errors and in comments of generated source."""

    name: str
    file: str | None
    line: int | None

    def __str__(self) -> str:
        if self.file is None:
            return self.name
        return f"{self.file}:{self.line} in {self.name}"


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing that a callable asks for.

    `meta` depends on `source`: a `FieldInfo` for values, a `DependencyMarker` (its callable filled
    in) for "dependency", a `ContextKind` for "context". `marked` says that the user named the source.
    """

    name: str
    source: SlotSource
    annotation: Any
    meta: FieldInfo | DependencyMarker | ContextKind
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything a callable asks for, in the order it is written, and what it gives back.

    `returns` is the resolved return annotation, `inspect.Signature.empty` where there is none.
    """

    call: Callable[..., Any]
    origin: Origin
    slots: tuple[Slot, ...]
    returns: Any
    kind: CallKind
