"""Looks up the names in annotations that are text.

A name may be defined after the function whose annotation has it, or inside of a function that was running when the
route was made; `running` keeps such functions for a second look.
"""

import ast
import inspect
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import CodeType, FrameType, FunctionType, SimpleNamespace
from typing import Any, ForwardRef, Literal, TypeAlias, cast, get_origin, get_type_hints

from slipstream._engine.signature.kinds import unwrapped

NOT_DEFINED = (NameError, AttributeError)
"""What evaluating an annotation raises while a name of it, or an attribute of a module, is not defined."""

Frames: TypeAlias = tuple[FrameType, ...]

EMPTY = inspect.Signature.empty
_OWN_SIGNATURE = frozenset({"__wrapped__", "__signature__", "_partialmethod", "__partialmethod__"})
"""Attributes of a function from which `inspect.signature` reads another signature than the function's."""
_VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def written_signature(call: Callable[..., Any]) -> inspect.Signature:
    """Return the signature as it is written, with annotations that may be text; of `Class[int]` that of the class."""
    call = get_origin(call) or call
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # noqa: PLC0415 - only exists from 3.14 on

        return inspect.signature(call, annotation_format=Format.FORWARDREF)
    return inspect.signature(call)


def written_parameters(call: Callable[..., Any]) -> tuple[list[tuple[str, Any, Any]], Any]:
    """Return name, annotation and default of each parameter, as `inspect.signature` has them, and what is returned."""
    is_plain = isinstance(call, FunctionType) and _OWN_SIGNATURE.isdisjoint(vars(call))
    if not is_plain or call.__code__.co_flags & _VARIADIC or sys.version_info >= (3, 14):
        signature = written_signature(call)
        parameters = [(each.name, each.annotation, each.default) for each in signature.parameters.values()]
        return parameters, signature.return_annotation
    # An `inspect.Signature` takes longer to make than all else that is read of a small endpoint.
    code, written = call.__code__, call.__annotations__
    positional = code.co_varnames[: code.co_argcount]
    defaults = dict(zip(reversed(positional), reversed(call.__defaults__ or ()), strict=False))
    defaults |= call.__kwdefaults__ or {}
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return [(name, written.get(name, EMPTY), defaults.get(name, EMPTY)) for name in names], written.get("return", EMPTY)


def running() -> Frames:
    """List the functions and class bodies that are running, the innermost first, without slipstream's own."""
    found = []
    frame = inspect.currentframe()
    while frame is not None:
        package = frame.f_globals.get("__package__") or ""
        is_own = package == "slipstream" or package.startswith("slipstream.")
        if not is_own and frame.f_code.co_name != "<module>":
            found.append(frame)
        frame = frame.f_back
    return tuple(found)


class Names:
    """The names that the annotations of a callable may use; for a class, those of its bases too.

    Args:
        frames: Functions that may be around the callable; those that are running by default.
    """

    def __init__(self, call: Callable[..., Any], frames: Frames | None) -> None:
        self._call, self._frames = call, frames

    @cached_property
    def _scopes(self) -> tuple[dict[str, Any], ChainMap[str, Any]]:
        """The globals and what is more local, which are seldom looked at."""
        target = unwrapped(self._call)
        cls = target if inspect.isclass(target) else type(target)
        owners = [target] if hasattr(target, "__globals__") else list(cls.__mro__)
        frames = running() if self._frames is None else self._frames
        local = ChainMap(*(cast(Any, scope) for owner in owners for scope in _scopes(owner, frames)))
        return _globals_of(owners[0]), local

    def resolve(self, annotation: Any) -> Any:
        """Evaluate what is text in an annotation, at any depth.

        Raises:
            NameError: A name is not defined.
            AttributeError: A module lacks a name.
        """
        while isinstance(annotation, str):
            annotation = eval(annotation, *self._scopes)
        if _holds_text(annotation):
            holder: Any = SimpleNamespace(__annotations__={"it": annotation})
            annotation = get_type_hints(holder, *self._scopes, include_extras=True)["it"]
        return annotation

    def without_type(self, annotation: Any) -> Any:
        """Evaluate the metadata of `Annotated[X, ...]`, and leave X as it is; see `resolve` for errors."""
        if not isinstance(annotation, str):
            return annotation
        tree = ast.parse(annotation, mode="eval")
        match tree.body:
            case ast.Subscript(slice=ast.Tuple(elts=[kind, *_] as parts)):
                parts[0] = ast.copy_location(ast.Name("X", ast.Load()), kind)
                names, local = self._scopes
                known = local.new_child({"X": ForwardRef(ast.unparse(kind))})
                return eval(compile(tree, "<annotation>", "eval"), names, known)
        return ForwardRef(annotation)


def _globals_of(owner: Any) -> dict[str, Any]:
    made = vars(owner).get("__init__") if inspect.isclass(owner) else owner
    known: dict[str, Any] | None = getattr(made, "__globals__", None)
    return vars(sys.modules.get(owner.__module__, SimpleNamespace())) if known is None else known


def _scopes(owner: Any, frames: Frames) -> Iterator[Mapping[str, Any]]:
    """Yield the names around a function or class, the innermost first."""
    yield {each.__name__: each for each in getattr(owner, "__type_params__", ())}
    code: CodeType | None = getattr(owner, "__code__", None)
    cells = getattr(owner, "__closure__", None)  # what only looks like a function may lack it
    if code is not None and cells:
        yield dict(_filled(zip(code.co_freevars, cells, strict=True)))
    names = _globals_of(owner)
    for frame in frames:
        qualname = getattr(owner, "__qualname__", "")
        if frame.f_globals is names and qualname.startswith(frame.f_code.co_qualname + "."):
            yield frame.f_locals
    yield names


def _filled(cells: Any) -> Iterator[tuple[str, Any]]:
    for name, cell in cells:
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _holds_text(annotation: Any) -> bool:
    if isinstance(annotation, (str, ForwardRef)):
        return True
    origin = get_origin(annotation)
    return origin not in (None, Literal) and any(map(_holds_text, getattr(annotation, "__args__", ())))
