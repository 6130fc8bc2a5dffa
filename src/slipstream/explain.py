"""What an application was compiled to, for people: its routes, their plans, their generated source.

Applications and routes are known by their attributes `routes`, `effective_routes` and `compiled`, not by class.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from starlette.routing import Match

from slipstream._engine.compile import Compiled
from slipstream._engine.plan.describe import RUNS, describe_program, name_of, place
from slipstream._engine.signature.origin import origin_of

INDEX = "INDEX.txt"
"""Name of the list that `dump` writes beside the sources."""


def explain(app: Any, operation: str | None = None) -> str:
    """Describe what an application serves, or what one operation was compiled to.

    Args:
        app: An application or a router.
        operation: "GET /items/{item_id}", "WS /chat", or a path as a client writes it: "GET /items/3".
            None for a list of all.

    Returns:
        The list; or the operation's plan, followed by its generated source and the objects that it names.

    Raises:
        LookupError: The application has no such operation; the message names those that look like it.
    """
    operations = list(_operations(app.routes))
    if operation is not None:
        return _explained(_find(operations, operation))
    if not operations:
        return "no routes\n"
    return _columns([[",".join(item.verbs), item.path, item.kind, item.endpoint] for item in operations])


def dump(app: Any, folder: Path) -> list[Path]:
    """Write every generated source to a folder, one file an operation, and an index; return the paths, that one first.

    The folder is made if it is not there, and files of the same names are replaced. Names come from method and path
    ("get_items_item_id.py"), so that two dumps can be compared.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Operation] = {}
    for operation in _operations(app.routes):
        if operation.compiled is not None:
            written[_file_name(operation, written)] = operation
    for name, operation in written.items():
        heading = [operation.label, "", *_plan_lines(operation)]
        comments = "".join(f"# {line}".rstrip() + "\n" for line in heading)
        assert operation.compiled is not None, "others are not written"
        (folder / name).write_text(f"{comments}\n\n{operation.compiled.source.text}", encoding="utf-8")
    rows = [[name, operation.label, operation.endpoint] for name, operation in written.items()]
    (folder / INDEX).write_text(_columns(rows), encoding="utf-8")
    return [folder / name for name in (INDEX, *written)]


@dataclass(frozen=True, slots=True)
class Operation:
    """One route as it is served: with the prefix of the routers and mounts above it.

    `verbs` are HTTP methods, or one of "WS", "MOUNT", "HOST", "ANY" (a Starlette route of all methods).
    """

    verbs: tuple[str, ...]
    path: str
    endpoint: str
    kind: str
    route: Any
    prefix: str
    compiled: Compiled | None

    @property
    def path_format(self) -> str:
        """The path without converters."""
        return self.prefix + getattr(self.route, "path_format", self.path.removeprefix(self.prefix))

    @property
    def label(self) -> str:
        """Name to be printed: "GET /items/{item_id}"."""
        return f"{','.join(self.verbs)} {self.path}"


def _operations(routes: Sequence[Any], prefix: str = "") -> Iterator[Operation]:
    """List what is served, in the order in which it is tried; routers and mounts in their places."""
    for route in routes:
        if hasattr(route, "effective_routes"):
            yield from _operations(route.effective_routes(), prefix)
            continue
        yield _operation(route, prefix)
        below = getattr(route, "routes", None)
        if below and hasattr(route, "path"):  # a mount; what a host serves depends on more than the path
            yield from _operations(below, prefix + route.path)


def _operation(route: Any, prefix: str) -> Operation:
    path = prefix + getattr(route, "path", getattr(route, "host", ""))
    compiled: Compiled | None = getattr(route, "compiled", None)
    if compiled is None:
        target = getattr(route, "endpoint", None) or getattr(route, "app", None)
        origin = None if target is None else origin_of(target)
        name = type(route).__name__ if origin is None else origin.name
        kind = f"{type(route).__name__}, served as it is"
    else:
        plan, root = compiled.plan, compiled.plan.root
        name, origin, kind = name_of(root), root.origin, RUNS[root.kind]
        if plan.protocol == "websocket":
            kind = f"WebSocket, {kind}"
        elif plan.response.stream is not None:
            kind = f"stream, {kind}"
    endpoint = name if origin is None else f"{name} ({place(origin)})"
    return Operation(_verbs(route), path, endpoint, kind, route, prefix, compiled)


def _verbs(route: Any) -> tuple[str, ...]:
    kinds = {type_.__name__ for type_ in type(route).__mro__}
    for class_name, verb in (("WebSocketRoute", "WS"), ("Mount", "MOUNT"), ("Host", "HOST")):
        if class_name in kinds:
            return (verb,)
    return tuple(sorted(getattr(route, "methods", None) or ())) or ("ANY",)


def _find(operations: Sequence[Operation], wanted: str) -> Operation:
    """Find an operation by its path as the user wrote it, or else by a path that it would serve."""
    verb, _, path = wanted.strip().partition(" ")
    verb, path = verb.upper(), path.strip().partition("?")[0]
    if not path.startswith("/"):
        raise LookupError(f"an operation is a method and a path, such as GET /items, and not {wanted!r}")
    fits = [item for item in operations if verb in item.verbs]
    is_serving = (item for item in fits if _serves(item, verb, path))
    is_written = (item for item in fits if path in (item.path, item.path_format))
    found = next(is_written, None) or next(is_serving, None)
    if found is not None:
        return found
    paths = list(dict.fromkeys(item.path for item in operations))
    close = [path] if path in paths else get_close_matches(path, paths, n=3, cutoff=0.5)
    labels = [f"{like} {near}" for near in close for item in operations if item.path == near for like in item.verbs]
    hint = "\n  there is: " + "\n            ".join(labels)
    none = ", nor one that looks like it; without an operation, all are listed"
    raise LookupError(f"there is no operation {verb} {path}{hint if labels else none}")


def _serves(item: Operation, verb: str, path: str) -> bool:
    if not path.startswith(item.prefix) or item.verbs in (("MOUNT",), ("HOST",)):
        return False
    kind = "websocket" if verb == "WS" else "http"
    scope = {"type": kind, "method": verb, "path": path, "root_path": item.prefix, "headers": []}
    match, _ = item.route.matches(scope)
    return bool(match == Match.FULL)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _explained(item: Operation) -> str:
    if item.compiled is None:
        return f"{item.label}\n\n{item.endpoint}\n{item.kind}: nothing was generated for it\n"
    source, filename = item.compiled.source, item.compiled.filename
    names = _columns([[f"  {name}", _described(value)] for name, value in source.constants.items()])
    return "\n".join(
        [item.label, "", *_plan_lines(item), "", f"source {filename}", "", source.text, "names in it", names]
    )


def _plan_lines(item: Operation) -> list[str]:
    assert item.compiled is not None, "the caller looked"
    lines = describe_program(item.compiled.program)
    if item.compiled.dialect == "request":
        around = type(item.route).__name__
        lines += ["route class", f"  {around}: what it makes is called, and calls the source below with a Request"]
    return lines


def _described(value: Any) -> str:
    """Describe the object that a name in generated source stands for."""
    qualified = getattr(value, "__qualname__", None)
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, type(re)):
        return f"{type(owner).__name__}.{getattr(value, '__name__', '')}"
    if qualified is not None:
        return f"{getattr(value, '__module__', None) or 'builtins'}.{qualified}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _file_name(item: Operation, taken: dict[str, Any]) -> str:
    """Make a file name that a reader recognizes and every file system takes: "get_items_item_id.py"."""
    base = re.sub(r"[^0-9A-Za-z]+", "_", item.label.lower().encode("ascii", "replace").decode()).strip("_")[:100]
    name, number = f"{base}.py", 2
    while name in taken:
        name, number = f"{base}_{number}.py", number + 1
    return name
