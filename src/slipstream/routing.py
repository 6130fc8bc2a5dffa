"""Path operations, WebSocket routes and routers, as programs write them.

Every verb goes through `add_api_route`. A route reads its endpoint when it is made, and is compiled at its first
request (`_routes/compiler.py`). How routes and routers serve is in `_routes/route.py` and `_routes/router.py`. Tools
replace functions of this module at run time: `get_request_handler`, `request_response` and `_PING_INTERVAL` are read
here, those that serve a request in `_routes/half_public.py`.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import starmap
from operator import is_not
from typing import Any, Literal, Unpack, cast

from starlette import routing
from starlette.concurrency import run_in_threadpool as run_in_threadpool
from starlette.datastructures import URLPath as URLPath
from starlette.requests import Request
from starlette.routing import BaseRoute, Match as Match, Mount as Mount, NoMatchFound as NoMatchFound
from starlette.types import ASGIApp, Lifespan, Receive as Receive, Scope as Scope, Send as Send
from typing_extensions import deprecated

from slipstream._app.limits import guarded, limited, limits_of, telling
from slipstream._app.observing import is_observing, reporting_route
from slipstream._engine.entry.lifespan import Context, merge
from slipstream._engine.errors import warn
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.runtime.threads import is_async
from slipstream._engine.signature.names import Frames
from slipstream._engine.signature.origin import origin_of
from slipstream._engine.types import Dialect, DirectApp
from slipstream._options.levels import (
    InclusionOptions,
    LevelOptions,
    RouteOptions,
    RouterOptions,
    VerbOptions,
    WebSocketOptions,
)
from slipstream._options.merging import folded, merged, repeated
from slipstream._options.unpack import completed, unpacks
from slipstream._routes import half_public
from slipstream._routes.compiler import Compiler, overrides_of, wrapped_app
from slipstream._routes.context import CONTEXT, KEY, EffectiveRouteContext, Inclusion
from slipstream._routes.frontend import Directory, Fallback, Frontend, FrontendFiles, checks_directory, joined
from slipstream._routes.half_public import (
    STEPS,
    DefaultLifespan,
    asking,
    described,
    get_request_handler,
    is_walked,
    request_response,
    run_endpoint_function as run_endpoint_function,
    serialize_response as serialize_response,
)
from slipstream._routes.operation import Methods, describe, read_operation, read_websocket
from slipstream._routes.route import PlannedRoute, warn_of_untaken
from slipstream._routes.router import IncludedRouter, TableRouter, check_inclusion, check_prefix, decorator
from slipstream._routes.solving import SolvedDependency as SolvedDependency, solve_dependencies as solve_dependencies
from slipstream.datastructures import DefaultPlaceholder
from slipstream.exceptions import FastAPIError as FastAPIError
from slipstream.limits import UNLIMITED
from slipstream.params import Depends
from slipstream.sse import _PING_INTERVAL
from slipstream.types import DecoratedCallable


class APIRoute(PlannedRoute, routing.Route):  # type: ignore[override]  # path_regex is an attribute in Starlette
    """A path operation: an endpoint, a path such as `/items/{item_id:int}`, and `RouteOptions`.

    Raises:
        DefinitionError: The endpoint cannot be served as it is written.
        FastAPIError: Pydantic cannot validate a parameter or the response model.
    """

    _wrapped: ASGIApp | None = None

    @unpacks(RouteOptions)
    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Unpack[RouteOptions]) -> None:
        assert callable(endpoint), "An endpoint must be a callable"
        self._populate(path, endpoint, completed(RouteOptions, options, type(self).__name__))
        self._wrap()

    def _populate(
        self, path: str, endpoint: Callable[..., Any], given: RouteOptions, stream_item_type: Any = None
    ) -> None:
        self._serve_at(path, endpoint, given["name"])
        self.methods: set[str] = Methods(given["methods"] or ["GET"])
        self.tags: list[str | Enum] = given["tags"] or []
        self.dependencies: list[Depends] = list(given["dependencies"] or [])
        self.summary, self.description = given["summary"], describe(endpoint, given["description"])
        self.response_description = given["response_description"]
        self.responses = given["responses"] or {}
        self.deprecated, self.operation_id = given["deprecated"], given["operation_id"]
        self.response_class = given["response_class"]
        self.response_model_include = given["response_model_include"]
        self.response_model_exclude = given["response_model_exclude"]
        self.response_model_by_alias = given["response_model_by_alias"]
        self.response_model_exclude_unset = given["response_model_exclude_unset"]
        self.response_model_exclude_defaults = given["response_model_exclude_defaults"]
        self.response_model_exclude_none = given["response_model_exclude_none"]
        self.include_in_schema, self.callbacks = given["include_in_schema"], given["callbacks"]
        self.openapi_extra = given["openapi_extra"]
        self.dependency_overrides_provider = given["dependency_overrides_provider"]
        self.generate_unique_id_function = given["generate_unique_id_function"]
        self.strict_content_type = given["strict_content_type"]
        self.limits = folded(given)["limits"]
        self.max_body_size = given["max_body_size"]
        self.form_limits = dict(given["form_limits"] or {})
        maker = given["generate_unique_id_function"]
        make = maker.value if isinstance(maker, DefaultPlaceholder) else maker
        self.unique_id: str = given["operation_id"] or make(self)
        self.response_model, self.status_code = given["response_model"], given["status_code"]
        self.stream_item_type = stream_item_type
        frames = None if self._waiting is None else self._waiting[1]  # of the original
        self._waiting = None
        self._read_if_defined(partial(self._read, given, stream_item_type), frames)

    def _read(self, given: RouteOptions, stream_item_type: Any, frames: Frames | None) -> None:
        read = read_operation(
            self.endpoint,
            self.pattern,
            given,
            unique_id=self.unique_id,
            stream_item_type=stream_item_type,
            ping_interval=cast(APIRoute, self.asked).ping_interval,
            frames=frames,
        )
        self.response_model, self.stream_item_type = read.response_model, read.stream_item_type
        self.response_fields = read.response_fields
        self.status_code, self.stream_kind = read.response.status_code, read.response.stream
        self.response_field, self.stream_item_field = read.response.field, read.response.item_field
        self._compiler = Compiler(read.tree, read.plan, self)
        body = self._compiler.plan.body
        self.body_field: ModelField | None = None if body is None else body.documented
        self._embed_body_fields = body is not None and body.embed

    def settle(self) -> None:
        """Read the endpoint if that had to wait, and have the handler wrapped then."""
        if self._waiting is not None:
            super().settle()
            self._wrap()

    def _is_wrapped(self) -> bool:
        """Whether a class of the user's or a tool has put a function of its own around the handler."""
        asked = cast(APIRoute, self.asked)
        used = (type(asked).get_route_handler, get_request_handler, request_response)
        written = (_get_route_handler, half_public.get_request_handler, half_public.request_response)
        return any(map(is_not, used, written)) or "get_route_handler" in vars(asked)

    def _wrap(self) -> None:
        """Call a `get_route_handler` of the user's when FastAPI calls it: as soon as there is a route or context."""
        if self._waiting is not None or not self._is_wrapped():
            return
        handler = self.get_route_handler()
        is_replaced = request_response is not half_public.request_response
        self._wrapped = request_response(handler) if is_replaced else wrapped_app(handler, is_async=is_async(handler))

    @property
    def _dialect(self) -> Dialect | None:
        """ "request" if a function of the user's takes the Request and calls the handler."""
        return None if self._wrapped is None else "request"

    @property
    def is_sse_stream(self) -> bool:
        """Whether the endpoint yields Server-Sent Events."""
        return self.stream_kind == "sse"

    @staticmethod
    def ping_interval() -> float:
        """Return after how many seconds of silence a stream of events pings; called before each wait."""
        return _PING_INTERVAL

    @property
    def is_json_stream(self) -> bool:
        """Whether the endpoint yields JSON Lines."""
        return self.stream_kind == "jsonl"

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the function from Request to Response; override this method to wrap that function.

        Only routes whose class overrides it pay for the Request and Response objects.
        """
        context = asking.get()
        route = context if context is not None and context.asked is self else self
        token = asking.set(route)
        try:
            return get_request_handler(**described(route))
        finally:
            asking.reset(token)

    async def _serve_compiled(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._compiled_handler()(scope, receive, send)

    def _compiled_handler(self) -> ASGIApp:
        handler, limits = super()._own_handler(), self.limits_in_force
        if is_walked(self.plan, self.dependency_overrides_provider):
            return guarded(handler, limits)
        # What only we read is counted when it is read; around the application may be a layer with its own bound.
        is_outer = limits.body_size == limits_of(self.dependency_overrides_provider).body_size
        is_counted = self.max_body_size is None and not self.plan.shows_scope
        is_bounded = is_outer and (is_counted or limits.body_size == UNLIMITED)
        return handler if is_bounded else limited(handler, limits.body_size)

    def _own_handler(self) -> ASGIApp:
        limits = self.limits_in_force
        if self._wrapped is None:
            return telling(self._compiled_handler(), limits)
        handler = telling(guarded(self._wrapped, limits), limits)
        return reporting_route(self, handler) if is_observing() else handler

    def direct_handler(self) -> tuple[DirectApp, bool]:
        """Return the handler in the direct dialect, and whether user code may see the scope."""
        self.settle()
        is_plain = self._app is None and self._wrapped is None and self.max_body_size is None
        if not is_plain or is_walked(self.plan, self.dependency_overrides_provider):
            return super().direct_handler()
        overrides = overrides_of(self.dependency_overrides_provider)
        compiled = self._compiler.compiled(overrides, "direct", limits=self.limits_in_force)
        return telling(compiled.handler, self.limits_in_force), compiled.plan.shows_scope

    def included(self, inclusion: Inclusion) -> "APIRoute":
        """Return the route's twin under an inclusion."""
        return OperationContext(self, inclusion)


class OperationContext(APIRoute, EffectiveRouteContext):  # type: ignore[override]  # see APIRoute
    """A path operation under the inclusions around it."""

    def __init__(self, original_route: APIRoute, inclusion: Inclusion) -> None:
        self.original_route = original_route
        self._waiting = original_route._waiting
        path = inclusion.options["prefix"] + original_route.path
        options = inclusion.options_of(original_route)
        self._populate(path, original_route.endpoint, options, original_route.stream_item_type)
        self._wrap()

    @property
    def asked(self) -> APIRoute:
        """The route of the included router."""
        return cast(APIRoute, self.original_route)

    def note(self, scope: Scope) -> None:
        """Write the context into the scope of a request that it serves."""
        known = scope.get(KEY)
        scope[KEY] = {CONTEXT: self} if known is None else {**known, CONTEXT: self}

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Have the original route make the handler, with the options of the inclusion."""
        token = asking.set(self)
        try:
            return self.asked.get_route_handler()
        finally:
            asking.reset(token)


_get_route_handler = APIRoute.get_route_handler


class APIWebSocketRoute(PlannedRoute, routing.WebSocketRoute):  # type: ignore[override]  # see APIRoute
    """A WebSocket endpoint with dependencies and validated parameters, a path, and `WebSocketOptions`."""

    @unpacks(WebSocketOptions)
    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Unpack[WebSocketOptions]) -> None:
        given = completed(WebSocketOptions, options, type(self).__name__)
        self._serve_at(path, endpoint, given["name"])
        self.dependencies: list[Depends] = list(given["dependencies"] or [])
        self.dependency_overrides_provider, self.limits = given["dependency_overrides_provider"], given["limits"]
        self._read_if_defined(self._read)

    def _read(self, frames: Frames | None) -> None:
        self._compiler = Compiler(*read_websocket(self.endpoint, self.pattern, self.dependencies, frames), self)

    def _own_handler(self) -> ASGIApp:
        return guarded(super()._own_handler(), self.limits_in_force)

    def included(self, inclusion: Inclusion) -> "APIWebSocketRoute":
        """Return the route's twin under an inclusion."""
        options = merged(WebSocketOptions, inclusion.options, self)
        twin = APIWebSocketRoute(inclusion.options["prefix"] + self.path, self.endpoint, **options)
        if self._waiting is not None:
            twin._waiting = twin._read, self._waiting[1]
        return twin


def _told(options: dict[str, Any]) -> dict[str, Any]:
    """Take out `limits` that nobody gave: many overriding functions list what they take, and FastAPI has no such."""
    if options["limits"] is None:
        del options["limits"]
    return options


def _like(get: DecoratedCallable, method: str) -> DecoratedCallable:
    """Make the router's method for an HTTP method; its signature and its words are those of `get`."""

    def verb(self: "APIRouter", path: str, **options: Unpack[VerbOptions]) -> Any:
        return self._verb(method, path, options)

    verb.__name__ = method.lower()
    verb.__qualname__ = f"APIRouter.{verb.__name__}"
    verb.__doc__ = str(get.__doc__).replace("GET", method)
    verb.__signature__ = inspect.signature(get)  # type: ignore[attr-defined]  # functions take any attribute
    return cast(DecoratedCallable, verb)


class APIRouter(TableRouter):
    """A collection of routes with `RouterOptions` in common; include it in an application or in another router.

    `route_class` is that of its path operations; a subclass of `APIRoute` may wrap the handler.
    """

    is_root = False
    """Whether it is an application's own router, which no other router includes."""

    @unpacks(RouterOptions)
    def __init__(self, *, route_class: type[APIRoute] = APIRoute, **options: Unpack[RouterOptions]) -> None:
        given = completed(RouterOptions, options, type(self).__name__)
        check_prefix(given["prefix"])
        super().__init__(folded(given))
        self.prefix = given["prefix"]
        self.tags: list[str | Enum] = list(given["tags"] or [])
        self.dependencies: list[Depends] = list(given["dependencies"] or [])
        self.deprecated, self.include_in_schema = given["deprecated"], given["include_in_schema"]
        self.responses = given["responses"] or {}
        self.callbacks: list[BaseRoute] = list(given["callbacks"] or [])
        self.dependency_overrides_provider = given["dependency_overrides_provider"]
        self.route_class = route_class
        self.default_response_class = given["default_response_class"]
        self.generate_unique_id_function = given["generate_unique_id_function"]
        self.strict_content_type = given["strict_content_type"]
        self.form_limits = dict(given["form_limits"] or {})

    @unpacks(RouteOptions)
    def add_api_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        route_class_override: type[APIRoute] | None = None,
        **options: Unpack[RouteOptions],
    ) -> None:
        """Add a path operation below the router's prefix, with `RouteOptions`; every verb comes through here.

        `route_class_override` is its class in place of the router's `route_class`.
        """
        given = folded(completed(RouteOptions, options, "add_api_route"))
        route_class = route_class_override or self.route_class
        every = merged(RouteOptions, self, given)
        # These are no options of many subclasses, which list theirs.
        if every["limits"] is None or every["limits"] == folded({**every, "limits": None})["limits"]:
            del every["limits"]
        if not every["form_limits"]:
            del every["form_limits"]
        self._append(route_class(self.prefix + path, endpoint=endpoint, **every), path)

    def _append(self, route: PlannedRoute, path: str) -> None:
        """Add a route, and warn of a path that no request has, or that has a parameter which nothing takes."""
        if self.is_root and path and not path.startswith("/"):
            claim = f"A path must begin with a slash, or no request finds it: {path!r}"
            warn(claim, origin_of(route.endpoint), f'write "/{path}"')
        if route.is_read:
            warn_of_untaken(route, path)
        self.routes.append(route)

    @unpacks(RouteOptions)
    def api_route(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve a path, under each method of `methods`, with the decorated function."""
        completed(RouteOptions, options, "api_route")
        # With their defaults, since a subclass may read any of them in `add_api_route`.
        every: Any = _told({"methods": None, **completed(VerbOptions, {}, "api_route"), **options})
        return decorator(lambda function: self.add_api_route(path, function, **every), path)

    def _verb(self, method: str, path: str, options: VerbOptions) -> Callable[[DecoratedCallable], DecoratedCallable]:
        every: Any = _told(cast(Any, completed(VerbOptions, options, method.lower())))
        return self.api_route(path, methods=[method], **every)

    @unpacks(VerbOptions)
    def get(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `GET path` with the decorated function."""
        return self._verb("GET", path, options)

    put = _like(get, "PUT")
    post = _like(get, "POST")
    delete = _like(get, "DELETE")
    options = _like(get, "OPTIONS")
    head = _like(get, "HEAD")
    patch = _like(get, "PATCH")
    trace = _like(get, "TRACE")

    def websocket(
        self, path: str, name: str | None = None, *, dependencies: Sequence[Depends] | None = None
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve a WebSocket with the decorated function; see `add_api_websocket_route`."""
        add = self.add_api_websocket_route
        return decorator(lambda function: add(path, function, name=name, dependencies=dependencies), path)

    def websocket_route(self, path: str, name: str | None = None) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve a WebSocket with a function of the WebSocket alone, as Starlette does."""
        return decorator(lambda function: self.add_websocket_route(path, function, name=name), path)

    def route(
        self, path: str, methods: Sequence[str] | None = None, name: str | None = None, include_in_schema: bool = True
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve a path with a function of the Request alone, as Starlette did."""
        listed = list(methods) if methods else None
        return decorator(lambda function: self.add_route(path, function, listed, name, include_in_schema), path)

    @deprecated("on_event is deprecated, use lifespan event handlers instead: lifespan=...")
    def on_event(self, event_type: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Call the decorated function at "startup" or "shutdown"; `lifespan` is the newer way."""
        return decorator(lambda function: self.add_event_handler(event_type, function), event_type)

    def add_api_websocket_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        name: str | None = None,
        *,
        dependencies: Sequence[Depends] | None = None,
    ) -> None:
        """Add a WebSocket endpoint below the router's prefix; see `WebSocketOptions`."""
        every = merged(WebSocketOptions, self, {"name": name, "dependencies": dependencies})
        self._append(APIWebSocketRoute(self.prefix + path, endpoint=endpoint, **every), path)

    @unpacks(InclusionOptions)
    def include_router(self, router: "APIRouter", **options: Unpack[InclusionOptions]) -> None:
        """Serve the routes of another router too, which is not changed, under a prefix and with `InclusionOptions`.

        Routes that are added to it later are served as well.

        Raises:
            FastAPIError: A path and its prefix are both empty.
            AssertionError: The prefix does not begin with a slash or ends with one, or the routers would include each
                other.
        """
        given = folded(completed(InclusionOptions, options, "include_router"))
        check_inclusion(self, router, given["prefix"])
        options = merged(LevelOptions, self, given, repeated(LevelOptions, router))
        self.routes.append(IncludedRouter(Inclusion(router, options)))
        self.lifespan_context = cast(
            Lifespan[Any], merge(cast(Context, self.lifespan_context), cast(Context, router.lifespan_context))
        )

    def frontend(
        self,
        path: str,
        *,
        directory: Directory,
        fallback: Fallback = "auto",
        check_dir: bool | Literal["auto"] = "auto",
    ) -> None:
        """Serve the built files of a browser application, for paths that no other route serves.

        The router's dependencies hold for the files too. `GET` and `HEAD` get files; a directory gets its
        `index.html`. Of several frontends the one with the longest path serves.

        Args:
            path: Path below the router's prefix; "/" for the whole site.
            directory: Where the files are.
            fallback: The answer for a path without a file. "index.html": that file, if the request accepts HTML, as
                browsers do for a page. "404.html": that file, with status 404. "auto": 404.html if there is one,
                else as "index.html" if there is one. None: a plain 404.
            check_dir: Whether a missing directory, or a missing file that `fallback` names, is an error now.
                "auto": yes, but with `FASTAPI_ENV=development` a missing directory is only a warning.

        Raises:
            RuntimeError: The directory or the fallback is missing.
            AssertionError: The path does not begin with a slash, or there is no such fallback.
        """
        slash = "'/' alone is the whole site"
        assert path.startswith("/"), f"the path of a frontend begins with '/', unlike {path!r}; {slash}"
        place = joined(self.prefix, path.rstrip("/") or "/")
        files = FrontendFiles(directory, fallback, check_dir=checks_directory(directory, check_dir))
        operation = APIRoute(
            place.rstrip("/") + "/{path:path}",
            files.serve,
            methods=["GET", "HEAD"],
            name="frontend",
            response_model=None,
            include_in_schema=False,
            dependencies=self.dependencies,
            dependency_overrides_provider=self.dependency_overrides_provider,
            max_body_size=self.max_body_size,
            limits=self.limits,
        )
        operation.tells_steps = False
        self._low_priority_routes.append(Frontend(place, files, operation))

    def add_event_handler(self, event_type: str, func: Callable[[], Any]) -> None:
        """Call a function at "startup" or "shutdown"."""
        assert event_type in ("startup", "shutdown"), f"the events are 'startup' and 'shutdown', not {event_type!r}"
        (self.on_startup if event_type == "startup" else self.on_shutdown).append(func)


_ALWAYS = frozenset({"path", "path_format", "name", "methods", "endpoint"})


@dataclass(frozen=True)
class RouteContext:
    """A route as it is served: under the prefixes and options of the routers that include it.

    It has the attributes of what is served too: `path`, `methods`, `endpoint`, …; these and `name` and `path_format`
    are None where a route has none.

    Attributes:
        route: The route as its own router has it.
    """

    route: BaseRoute
    _route_context: EffectiveRouteContext | None = field(default=None, repr=False)

    @property
    def original_route(self) -> BaseRoute:
        """The route as its own router has it."""
        return self.route

    def __getattr__(self, name: str) -> Any:
        context = self._route_context
        served = self.route if context is None else context.served
        return getattr(served, name, None) if name in _ALWAYS else getattr(served, name)


def iter_route_contexts(routes: Sequence[BaseRoute | RouteContext]) -> Iterator[RouteContext]:
    """List every route, those of included routers in their places, as it is served."""
    for route in routes:
        if isinstance(route, RouteContext):
            yield route
        else:
            yield from starmap(RouteContext, _iter_routes_with_context([route]))


def _iter_routes_with_context(routes: Sequence[BaseRoute]) -> Iterator[tuple[BaseRoute, EffectiveRouteContext | None]]:
    """List every route with its context; None for a route that no router includes."""
    for route in routes:
        if isinstance(route, IncludedRouter):
            yield from ((context.original_route, context) for context in route.effective_route_contexts())
        else:
            yield route, None


def _iter_included_route_candidates(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """List every route, one of Starlette's classes as it is served."""
    for route, context in _iter_routes_with_context(routes):
        yield (context and context.starlette_route) or route


_IncludedRouter = IncludedRouter
_EffectiveRouteContext = EffectiveRouteContext
_merge_lifespan_context = merge
_DefaultLifespan = DefaultLifespan
"""Half-public names that packages use."""

STEPS.watch(sys.modules[__name__])
