"""What `include_router` says about the routes of a router, and the node that it leaves in the routes.

The included router stays what it is: routes added to it later are served too. The routes as they
are under the prefix are twins, made when they are asked for and kept until something changes.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import is_not
from typing import Any, cast

from starlette import routing
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Host, Match, Mount, NoMatchFound, Route, WebSocketRoute, compile_path
from starlette.types import Receive, Scope, Send

from slipstream._app.limits import checked_form_limits, checked_max_body_size, limited
from slipstream._app.refresh import Lock, version
from slipstream._options.route import FormLimits, RouteDefaults
from slipstream._options.router import InclusionDefaults
from slipstream.exceptions import FastAPIError
from slipstream.utils import get_value_or_default


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Everything that routers and inclusions above a route say about it, outermost first."""

    router: Any
    prefix: str
    tags: tuple[Any, ...]
    dependencies: tuple[Any, ...]
    default_response_class: Any
    responses: dict[int | str, dict[str, Any]]
    callbacks: tuple[BaseRoute, ...]
    deprecated: bool | None
    include_in_schema: bool
    generate_unique_id_function: Any
    strict_content_type: Any
    max_body_size: int | None
    form_limits: dict[str, int]
    dependency_overrides_provider: Any

    @classmethod
    def of(cls, parent: Any, router: Any, given: InclusionDefaults) -> "Inclusion":
        """Put together what a router and its `include_router` call say."""
        return cls(
            router=router,
            prefix=parent.prefix + given.prefix,
            tags=(*parent.tags, *(given.tags or ())),
            dependencies=(*parent.dependencies, *(given.dependencies or ())),
            default_response_class=get_value_or_default(given.default_response_class, parent.default_response_class),
            responses={**parent.responses, **(given.responses or {})},
            callbacks=(*parent.callbacks, *(given.callbacks or ())),
            deprecated=given.deprecated or parent.deprecated,
            include_in_schema=parent.include_in_schema and given.include_in_schema,
            generate_unique_id_function=get_value_or_default(
                given.generate_unique_id_function, parent.generate_unique_id_function
            ),
            strict_content_type=parent.strict_content_type,
            max_body_size=first(router.max_body_size, checked_max_body_size(given.max_body_size), parent.max_body_size),
            form_limits={**parent.form_limits, **checked_form_limits(given.form_limits), **router.form_limits},
            dependency_overrides_provider=parent.dependency_overrides_provider,
        )

    def around(self, inner: "Inclusion") -> "Inclusion":
        """Put an inclusion inside another: the inner one wins where only one can."""
        return Inclusion(
            router=inner.router,
            prefix=self.prefix + inner.prefix,
            tags=(*self.tags, *inner.tags),
            dependencies=(*self.dependencies, *inner.dependencies),
            default_response_class=get_value_or_default(inner.default_response_class, self.default_response_class),
            responses={**self.responses, **inner.responses},
            callbacks=(*self.callbacks, *inner.callbacks),
            deprecated=self.deprecated or inner.deprecated,
            include_in_schema=self.include_in_schema and inner.include_in_schema,
            generate_unique_id_function=get_value_or_default(
                inner.generate_unique_id_function, self.generate_unique_id_function
            ),
            strict_content_type=get_value_or_default(inner.strict_content_type, self.strict_content_type),
            max_body_size=first(inner.max_body_size, self.max_body_size),
            form_limits={**self.form_limits, **inner.form_limits},
            dependency_overrides_provider=self.dependency_overrides_provider,
        )

    def options_of(self, route: Any) -> RouteDefaults:
        """The options of a route as they are under this inclusion."""
        router = self.router
        return RouteDefaults(
            response_model=route.response_model,
            status_code=route.status_code,
            tags=[*self.tags, *route.tags],
            dependencies=[*self.dependencies, *route.dependencies],
            summary=route.summary,
            description=route.description,
            response_description=route.response_description,
            responses={**self.responses, **route.responses},
            deprecated=route.deprecated or self.deprecated,
            methods=route.methods,
            operation_id=route.operation_id,
            response_model_include=route.response_model_include,
            response_model_exclude=route.response_model_exclude,
            response_model_by_alias=route.response_model_by_alias,
            response_model_exclude_unset=route.response_model_exclude_unset,
            response_model_exclude_defaults=route.response_model_exclude_defaults,
            response_model_exclude_none=route.response_model_exclude_none,
            include_in_schema=route.include_in_schema and self.include_in_schema,
            response_class=get_value_or_default(
                route.response_class, router.default_response_class, self.default_response_class
            ),
            name=route.name,
            dependency_overrides_provider=self.dependency_overrides_provider,
            callbacks=[*self.callbacks, *(route.callbacks or [])],
            openapi_extra=route.openapi_extra,
            generate_unique_id_function=get_value_or_default(
                route.generate_unique_id_function, router.generate_unique_id_function, self.generate_unique_id_function
            ),
            strict_content_type=get_value_or_default(
                route.strict_content_type, router.strict_content_type, self.strict_content_type
            ),
            max_body_size=first(route.max_body_size, self.max_body_size),
            form_limits=cast(FormLimits, {**self.form_limits, **route.form_limits}),
        )


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that no path can follow.

    Raises:
        AssertionError: It does not begin with a slash, or ends with one.
    """
    if prefix:
        assert prefix.startswith("/"), "A path prefix must start with '/'"
        assert not prefix.endswith("/"), "A path prefix must not end with '/', as the routes will start with '/'"


def check_inclusion(parent: Any, router: Any, prefix: str) -> None:
    """Refuse to include a router where that makes no sense.

    Raises:
        FastAPIError: A path and its prefix are both empty.
        AssertionError: The prefix is none, or the routers would include each other.
    """
    assert parent is not router, (
        "Cannot include the same APIRouter instance into itself. Did you mean to include a different router?"
    )
    assert not router.contains(parent), (
        "Cannot include an APIRouter instance that already includes this router. "
        "Did you mean to include a different router?"
    )
    check_prefix(prefix)
    for route in () if prefix else effective(router.routes):
        if getattr(route, "path", None) == "":
            name = getattr(route, "name", "unknown")
            raise FastAPIError(f"Prefix and path cannot be both empty (path operation: {name})")


def first(*limits: int | None) -> int | None:
    """The first bound that is one."""
    return next((limit for limit in limits if limit is not None), None)


class Twins:
    """The routes of a router as they are under an inclusion; made anew when one was added or taken away.

    What else changes in the process, such as overrides, leaves them as they are, with all that they have compiled.
    """

    def __init__(self, inclusion: Inclusion) -> None:
        self._inclusion = inclusion
        self._mark = -1
        self._originals: list[BaseRoute] = []
        self._made: list[BaseRoute] = []

    def of(self, router: Any, routes: Sequence[BaseRoute]) -> list[BaseRoute]:
        """Return the twins of routes, and nodes for the routers that are included further down."""
        mark, known = router.mark, self._originals
        if mark != self._mark or len(routes) != len(known) or any(map(is_not, routes, known)):
            originals = list(routes)
            self._made = list(self._make(originals))
            self._originals, self._mark = originals, mark
        return self._made

    def _make(self, routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
        for route in routes:
            if isinstance(route, IncludedRouter):
                yield IncludedRouter(route.original_router, self._inclusion.around(route.inclusion))
            else:
                twin = relocated(route, self._inclusion)
                if twin is not None:
                    twin.__dict__["original_route"] = route
                    yield twin


class IncludedRouter(BaseRoute):
    """Stands among the routes of a router for another router that it includes.

    Attributes:
        original_router: The included router, live.
        inclusion: What is said about its routes.
    """

    def __init__(self, original_router: Any, inclusion: Inclusion) -> None:
        self.original_router = original_router
        self.inclusion = inclusion
        self._twins = Twins(inclusion)
        self._low_priority_twins = Twins(inclusion)
        self._routes: tuple[BaseRoute, ...] = ()
        self._seen = -1
        self._lock = Lock()

    def effective_routes(self) -> Sequence[BaseRoute]:
        """Every route of the included router, and of those that it includes, as it is here."""
        with self._lock:
            seen = version.number
            if self._seen != seen:
                self._routes = tuple(effective(self._twins.of(self.original_router, self.original_router.routes)))
                self._seen = seen
        return self._routes

    def effective_low_priority_routes(self) -> Sequence[BaseRoute]:
        """What the included router, and those that it includes, serve after all other routes, as it is here."""
        router = self.original_router
        with self._lock:
            own = self._low_priority_twins.of(router, router._low_priority_routes)
            nodes = [node for node in self._twins.of(router, router.routes) if isinstance(node, IncludedRouter)]
        return [*own, *(route for node in nodes for route in node.effective_low_priority_routes())]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether some route below serves a request."""
        best: tuple[Match, Scope] = Match.NONE, {}
        for route in self.effective_routes():
            match, child_scope = route.matches(scope)
            if match == Match.FULL:
                return match, {**child_scope, _CHOSEN: route}
            if match == Match.PARTIAL and best[0] == Match.NONE:
                best = match, {**child_scope, _CHOSEN: route}
        return best

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with the route that `matches` chose."""
        route = scope.pop(_CHOSEN)
        await route.handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Build the path of a route below."""
        for route in self.effective_routes():
            try:
                return route.url_path_for(name, **path_params)
            except NoMatchFound:
                continue
        raise NoMatchFound(name, path_params)


_CHOSEN = "slipstream.included_route"


def relocated(route: BaseRoute, inclusion: Inclusion) -> BaseRoute | None:
    """Make the twin of a route under a prefix; None for a kind of route that cannot have one."""
    included = getattr(route, "included", None)
    if included is not None:
        twin: BaseRoute = included(inclusion)
        return twin
    prefix = inclusion.prefix
    if isinstance(route, Route):
        plain = Route(
            prefix + route.path, route.endpoint, methods=list(route.methods or []), name=route.name,
            include_in_schema=route.include_in_schema,
        )  # fmt: skip
        plain.app = limited(plain.app, inclusion.max_body_size)
        return plain
    if isinstance(route, WebSocketRoute):
        return WebSocketRoute(prefix + route.path, route.endpoint, name=route.name)
    if isinstance(route, Mount):
        moved = copy.copy(route)
        moved.path = (prefix + route.path).rstrip("/")
        moved.path_regex, moved.path_format, moved.param_convertors = compile_path(moved.path + "/{path:path}")
        moved.app = limited(moved.app, inclusion.max_body_size)
        return moved
    if isinstance(route, Host):
        app = routing.Router(routes=[Mount(prefix, app=route.app)]) if prefix else route.app
        host = Host(route.host, app=app, name=route.name)
        # Not its app, which has the names that `url_path_for` looks for.
        host.__dict__["handle"] = limited(host.handle, inclusion.max_body_size)
        return host
    return None


def effective(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """List routes with those of included routers in their places."""
    for route in routes:
        if isinstance(route, IncludedRouter):
            yield from route.effective_routes()
        else:
            yield route


def low_priority(router: Any) -> Iterator[BaseRoute]:
    """List what a router serves after all other routes, its own first."""
    yield from router._low_priority_routes
    for route in router.routes:
        if isinstance(route, IncludedRouter):
            yield from route.effective_low_priority_routes()
