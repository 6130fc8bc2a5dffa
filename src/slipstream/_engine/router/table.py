"""The table of an application's routes: from a request to the route that serves it.

It finds what Starlette's scan of the routes finds: the first route that fits path and method; else the first that fits
the path alone (405); else a fitting path with its last slash added or removed (redirect); else nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from slipstream._engine.router.tree import NEVER, Entry, Tree
from slipstream._engine.types import Scope

Find: TypeAlias = Callable[[str], tuple[Any, dict[str, Any]] | None]
"""Takes the path below the root path, decoded; returns value and parameters (a new dict) of its route."""

FULL = 2
"""The number of Starlette's `Match.FULL`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueEntry:
    """A route that decides by itself, such as a mount, by Starlette's `BaseRoute.matches`.

    `prefix` is static text with which every path that matches begins: "/static/" for a mount at "/static".
    """

    rank: int
    matches: Callable[[Scope], tuple[Any, Scope]]
    value: Any
    prefix: str = ""


class Found(NamedTuple):
    """A route that fits: one with a pattern has `params`, an opaque one `child_scope`, keys to add to the scope."""

    value: Any
    params: dict[str, Any]
    child_scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """Why no route serves a request.

    `partial` is the first route with a pattern that fits the path alone (405); `allowed` are that route's methods,
    sorted. Else `redirect_path` is the `scope["path"]` to redirect to; None means 404.
    """

    partial: Found | None = None
    allowed: tuple[str, ...] = ()
    redirect_path: str | None = None
    redirected: Found | None = None
    """The route that fits `redirect_path`."""


class Table:
    """The routes of one application, frozen.

    `finders`, `find_any` and `find_websocket` see patterns only: use them unless the table `is_mixed`. `match_mixed`
    serves every table. Where they return None, `miss` has the reason.
    """

    def __init__(self, entries: Iterable[Entry | OpaqueEntry], *, redirect_slashes: bool = True) -> None:
        listed = sorted(entries, key=attrgetter("rank"))
        patterned = [entry for entry in listed if isinstance(entry, Entry)]
        http = [entry for entry in patterned if entry.protocol == "http"]
        methods = {method for entry in http for method in entry.methods or ()}
        last_rank = patterned[-1].rank if patterned else -1
        self._redirect_slashes = redirect_slashes
        self._opaque = [entry for entry in listed if isinstance(entry, OpaqueEntry)]
        self._early = [entry for entry in self._opaque if entry.rank < last_rank]
        self._methods = {entry.rank: entry.methods or frozenset() for entry in patterned}
        self._websocket = Tree(entry for entry in patterned if entry.protocol == "websocket")
        self._http = Tree(http)
        self._any_method = Tree(entry for entry in http if not entry.methods)
        self._by_method = {
            method: Tree(entry for entry in http if not entry.methods or method in entry.methods) for method in methods
        }
        self.is_mixed = bool(self._opaque)
        """Whether an entry is opaque, so that only `match_mixed` sees all entries."""
        self.finders: dict[str, Find] = {method: tree.find for method, tree in self._by_method.items()}
        """By HTTP method; other methods use `find_any`."""
        self.find_any: Find = self._any_method.find
        self.find_websocket: Find = self._websocket.find
        self.static: dict[str, dict[str, Any]] = {method: tree.static for method, tree in self._by_method.items()}
        """The values of routes without parameters, by method and path."""

    def match_mixed(self, scope: Scope, path: str) -> Found | None:
        """Return the route that serves a path below the root path, or an opaque one that is first to fit it alone."""
        is_http = scope["type"] == "http"
        tree = self._by_method.get(scope["method"], self._any_method) if is_http else self._websocket
        if any(path.startswith(entry.prefix) for entry in self._early):
            leaf, params = next(tree.candidates(path), (None, {}))
            found = None if leaf is None else Found(leaf.value, params)
            limit = NEVER if leaf is None else leaf.rank
        else:
            quick = tree.find(path)
            if quick is not None:
                return Found(*quick)
            found, limit = None, NEVER
        partial: tuple[int, Found] | None = None
        for entry, match, child_scope in self._ask(scope, path, limit):
            if match == FULL:
                return Found(entry.value, {}, child_scope)
            partial = partial or (entry.rank, Found(entry.value, {}, child_scope))
        if found is None and partial is not None and partial[0] < self._nearest(scope, path)[0]:
            return partial[1]
        return found

    def miss(self, scope: Scope, path: str) -> Miss:
        """Return why no route serves a request. Only HTTP is redirected, and never from "/".

        Opaque entries are asked for the path of a redirect alone: `match_mixed` has asked them for this one.
        """
        rank, found = self._nearest(scope, path)
        if found is not None:
            return Miss(partial=found, allowed=tuple(sorted(self._methods[int(rank)])))
        if self._redirect_slashes and path != "/" and scope["type"] == "http":
            below, whole = (text.rstrip("/") if path.endswith("/") else text + "/" for text in (path, scope["path"]))
            there = {**scope, "path": whole}
            rank, found = self._nearest(there, below)
            opaque = next(self._ask(there, below, rank), None)
            if opaque is not None:
                found = Found(opaque[0].value, {}, opaque[2])
            if found is not None:
                return Miss(redirect_path=whole, redirected=found)
        return Miss()

    def _nearest(self, scope: Scope, path: str) -> tuple[float, Found | None]:
        """Return rank and values of the first route with a pattern that fits a path, whatever its methods."""
        tree = self._http if scope["type"] == "http" else self._websocket
        leaf, params = next(tree.candidates(path), (None, {}))
        return (NEVER, None) if leaf is None else (leaf.rank, Found(leaf.value, params))

    def _ask(self, scope: Scope, path: str, limit: float = NEVER) -> Iterator[tuple[OpaqueEntry, int, Scope]]:
        """Yield the opaque entries up to the rank `limit` that fit, partially or in full."""
        for entry in self._opaque:
            if entry.rank > limit:
                break
            if path.startswith(entry.prefix):
                match, child_scope = entry.matches(scope)
                match = getattr(match, "value", match)
                if match:
                    yield entry, match, child_scope
