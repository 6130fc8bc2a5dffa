"""A route as the routers that include it serve it, with what options, and what a scope says under FastAPI's key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from slipstream._options.levels import LevelOptions, RouteOptions
from slipstream._options.merging import merged, repeated

KEY = "fastapi"
"""FastAPI's key in a scope."""

CONTEXT, ROUTER, FRONTEND_PATH = "effective_route_context", "included_router", "frontend_path"
"""Keys below that one: the context of the included route that serves, the node of the router that is being asked, and
the path below a frontend's prefix."""


def noted(scope: Scope, key: str) -> Any:
    """Return what a scope has under a key below FastAPI's, or None."""
    return scope.get(KEY, {}).get(key)


def note(scope: Scope, key: str, value: object) -> None:
    """Write a value under a key below FastAPI's; scopes that share the old dictionary keep it."""
    scope.update(noting_in(scope, key, value))


def noting_in(scope: Scope, key: str, value: object) -> dict[str, Any]:
    """Return what to update a scope with, to have a value under a key below FastAPI's there."""
    return {KEY: {**scope.get(KEY, {}), key: value}}


@contextmanager
def noting(scope: Scope, key: str, value: object) -> Iterator[None]:
    """Have a value under a key below FastAPI's for a while."""
    before = scope.get(KEY, {})
    note(scope, key, value)
    try:
        yield
    finally:
        scope[KEY] = before


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The options for the routes of a router, merged from the routers and inclusions above them."""

    router: Any
    options: LevelOptions

    def __getattr__(self, name: str) -> Any:
        """Return an option, or the router under FastAPI's name for it."""
        if name == "included_router":
            return self.router
        if name.startswith("__") or name not in self.options:
            raise AttributeError(name)
        return self.options[name]  # type: ignore[literal-required]  # any option

    def options_of(self, route: object) -> RouteOptions:
        """Return the options of a path operation's twin; the route has its own as attributes."""
        return merged(RouteOptions, self.options, repeated(LevelOptions, self.router), route)


class EffectiveRouteContext:
    """A route under the prefixes and options of the routers that include it, and the route as its own router has it.

    As in FastAPI, `starlette_route` has all that a route has that is not a path operation.
    """

    starlette_route: Any = None
    path: Any = ""
    path_format: Any = ""
    name: Any = ""
    endpoint: Any = None
    dependant: Any = None
    methods: Any = ()
    dependencies: Any = ()
    tags: Any = ()
    include_in_schema: Any = True

    def __init__(self, original_route: BaseRoute, starlette_route: BaseRoute | None = None) -> None:
        self.original_route, self.starlette_route = original_route, starlette_route

    @property
    def served(self) -> Any:
        return self.starlette_route or self

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match: tuple[Match, Scope] = self.starlette_route.matches(scope)
        return match

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        path: URLPath = self.starlette_route.url_path_for(name, **path_params)
        return path
