"""What an endpoint or a dependency asks for, as data.

`read.py` makes a `Signature` from a callable; no later step looks at the callable's annotations.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic.fields import FieldInfo

from slipstream._engine.abc import DependencyMarker
from slipstream._engine.types import CallKind, ContextKind, SlotSource


@dataclass(frozen=True)
class Origin:
    """Where a callable is defined; printed in errors and in comments of generated source."""

    name: str
    file: str | None
    line: int | None

    def __str__(self) -> str:
        return self.name if self.file is None else f"{self.file}:{self.line} in {self.name}"


@dataclass(slots=True)
class Slot:
    """One thing that a callable asks for.

    `meta` depends on `source`: for "dependency" a `DependencyMarker` with its callable, for "context" a `ContextKind`,
    for all others a `FieldInfo`. `marked` says that the user wrote the source. `field` is what plans have made of it,
    for all the routes that have the slot.
    """

    name: str
    source: SlotSource
    annotation: Any
    meta: FieldInfo | DependencyMarker | ContextKind
    marked: bool = True
    field: Any = field(default=None, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a callable asks for, in the order of its parameters, and what it returns.

    `returns` is the resolved return annotation, `inspect.Signature.empty` if there is none; if a name of it is not
    defined, the error to raise where it is needed.
    """

    call: Callable[..., Any]
    origin: Origin
    slots: tuple[Slot, ...]
    returns: Any
    kind: CallKind
