"""From the routes of an application to one table, and from a request to the route that serves it.

Answers as a scan of Starlette's router would: the first route in order that fits path and method; else the first
that fits the path alone (405); else a path with its last slash toggled that fits anything (redirect); else nothing.
Sends no answer and changes no scope.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, Literal, NamedTuple, TypeAlias

from slipstream._engine.router.pattern import Pattern
from slipstream._engine.router.tree import NEVER, Leaf, Tree
from slipstream._engine.types import Scope

Protocol = Literal["http", "websocket"]

Find: TypeAlias = Callable[[str], tuple[Any, dict[str, Any]] | None]
"""From a path to the value and the converted parameters of the route that serves it."""

FULL = 2
"""The number of Starlette's `Match.FULL`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A route with a pattern.

    `rank` tells its place in the order of registration; no two entries of a table may share one. `methods` are in
    capitals; None or none at all means every method. They are taken as they are (HEAD does not follow from GET),
    and mean nothing for a WebSocket. `value` is what a match returns.
    """

    rank: int
    pattern: Pattern
    value: Any
    methods: frozenset[str] | None = None
    protocol: Protocol = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueEntry:
    """A route that decides by itself: a mount, a host, any Starlette route that is none of ours.

    `matches` is Starlette's `BaseRoute.matches`: it returns a `Match` (or its number: 0 none, 1 partial, 2 full) and
    the keys to add to the scope, and is asked for HTTP and WebSocket alike. `prefix` is static text without which,
    at the start of the path, it never matches; "" asks it always. Give "/static/" for a mount at "/static".
    """

    rank: int
    matches: Callable[[Scope], tuple[Any, Scope]]
    value: Any
    prefix: str = ""


class Found(NamedTuple):
    """A route that fits.

    `params` are the converted path parameters. `child_scope` is what an opaque entry wants added to the scope
    (`path_params` among it, `params` being empty then); None for an entry with a pattern.
    """

    value: Any
    params: dict[str, Any]
    child_scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """Why nothing serves a request, and what to say instead.

    `partial` is the first route that fits the path alone: answer 405 with it. `allowed` are that route's methods,
    sorted (none if it is opaque: let it answer by itself). Without `partial`, `redirect_path` is the `scope["path"]`
    to redirect to; None: answer 404.
    """

    partial: Found | None = None
    allowed: tuple[str, ...] = ()
    redirect_path: str | None = None


class Table:
    """The routes of one application, frozen.

    `match` and `match_websocket` look at patterns only: they are right unless the table `is_mixed`. `match_mixed` is
    right for every table. When they return None, ask `miss` for the reason.
    """

    def __init__(self, entries: Iterable[Entry | OpaqueEntry], *, redirect_slashes: bool = True) -> None:
        """Build the table; `redirect_slashes` says whether `miss` looks for a path to redirect to."""
        listed = sorted(entries, key=attrgetter("rank"))
        patterned = [entry for entry in listed if isinstance(entry, Entry)]
        http = [entry for entry in patterned if entry.protocol == "http"]
        methods = {method for entry in http for method in entry.methods or ()}
        last_rank = patterned[-1].rank if patterned else -1
        self._redirect_slashes = redirect_slashes
        self._opaque = [entry for entry in listed if isinstance(entry, OpaqueEntry)]
        self._early = [entry for entry in self._opaque if entry.rank < last_rank]
        self._methods = {entry.rank: entry.methods or frozenset() for entry in patterned}
        leaves = {entry.rank: Leaf(entry.pattern, entry.rank, entry.value) for entry in patterned}
        self._websocket = Tree(leaves[entry.rank] for entry in patterned if entry.protocol == "websocket")
        self._http = Tree(leaves[entry.rank] for entry in http)
        self._any_method = Tree(leaves[entry.rank] for entry in http if not entry.methods)
        self._by_method = {
            method: Tree(leaves[entry.rank] for entry in http if not entry.methods or method in entry.methods)
            for method in methods
        }
        self.finders: dict[str, Find] = {method: tree.find for method, tree in self._by_method.items()}
        """What `match` does, by method; for methods that are not there, `find_any`."""
        self.find_any: Find = self._any_method.find
        self.static: dict[str, dict[str, Any]] = {method: tree.static for method, tree in self._by_method.items()}
        """By method and path, the values of routes without parameters: what `match` finds for these."""

    @property
    def is_mixed(self) -> bool:
        """Whether some entry is opaque, so that only `match_mixed` sees all of them."""
        return bool(self._opaque)

    def match(self, method: str, path: str) -> tuple[Any, dict[str, Any]] | None:
        """Return value and converted parameters of the HTTP route that serves a request.

        `path` is what follows the root path, decoded; `method` is in capitals. The parameters are a new dict.
        """
        return self.finders.get(method, self.find_any)(path)

    def match_websocket(self, path: str) -> tuple[Any, dict[str, Any]] | None:
        """Return value and converted parameters of the route that serves a WebSocket; as `match` does."""
        return self._websocket.find(path)

    def match_mixed(self, scope: Scope, path: str) -> Found | None:
        """Return the route that serves a request or a WebSocket, opaque ones included.

        `path` is what follows the root path in `scope["path"]`. The scope is shown to opaque entries, not changed.
        """
        tree = self._tree(scope)
        if any(path.startswith(entry.prefix) for entry in self._early):
            leaf, params = next(tree.candidates(path), (None, {}))
            found = None if leaf is None else Found(leaf.value, params)
            limit = NEVER if leaf is None else leaf.rank
        else:
            quick = tree.find(path)
            if quick is not None:
                return Found(*quick)
            found, limit = None, NEVER
        for entry, match, child_scope in self._ask(scope, path, limit):
            if match == FULL:
                return Found(entry.value, {}, child_scope)
        return found

    def miss(self, scope: Scope, path: str) -> Miss:
        """Say why nothing serves a request that a match method returned None for, and what to answer.

        `path` is what follows the root path in `scope["path"]`. Only HTTP is ever redirected, and never from "/".
        """
        first = min(self._fits(scope, path), key=itemgetter(0), default=None)
        if first is not None:
            _, found, methods = first
            return Miss(partial=found, allowed=tuple(sorted(methods)))
        if self._redirect_slashes and path != "/" and scope["type"] == "http":
            toggle = drop_slashes if path.endswith("/") else add_slash
            redirect_scope = {**scope, "path": toggle(scope["path"])}
            if any(self._fits(redirect_scope, toggle(path))):
                return Miss(redirect_path=redirect_scope["path"])
        return Miss()

    def _tree(self, scope: Scope) -> Tree:
        """Return the tree with the routes for the scope's protocol and method."""
        if scope["type"] == "http":
            return self._by_method.get(scope["method"], self._any_method)
        return self._websocket

    def _ask(self, scope: Scope, path: str, limit: float = NEVER) -> Iterator[tuple[OpaqueEntry, int, Scope]]:
        """Ask the opaque entries before the rank `limit` in order; yield those that fit, partially or in full."""
        for entry in self._opaque:
            if entry.rank > limit:
                break
            if path.startswith(entry.prefix):
                match, child_scope = entry.matches(scope)
                match = getattr(match, "value", match)
                if match:
                    yield entry, match, child_scope

    def _fits(self, scope: Scope, path: str) -> Iterator[tuple[int, Found, frozenset[str]]]:
        """Yield rank, route and methods of whatever fits the path, whether or not it takes the method."""
        tree = self._http if scope["type"] == "http" else self._websocket
        for leaf, params in tree.candidates(path):
            yield leaf.rank, Found(leaf.value, params), self._methods[leaf.rank]
        for entry, _, child_scope in self._ask(scope, path):
            yield entry.rank, Found(entry.value, {}, child_scope), frozenset()


def add_slash(path: str) -> str:
    """Add a slash to the end of a path."""
    return path + "/"


def drop_slashes(path: str) -> str:
    """Remove all slashes from the end of a path."""
    return path.rstrip("/")
