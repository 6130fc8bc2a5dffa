"""The application: a router with middleware, exception handlers, lifespan and documentation."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack, cast

from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import deprecated

from slipstream._app.entrance import Entrance
from slipstream._app.limits import held, limits_of
from slipstream._app.observing import Observer
from slipstream._app.refresh import Latest, Watched, WatchedDict, version
from slipstream._app.stack import are_replaced, build_stack
from slipstream._engine.entry.guard import HandlerPair
from slipstream._engine.types import Reply
from slipstream._options.levels import AppOptions, RouteOptions, RouterOptions
from slipstream._options.merging import folded
from slipstream._options.unpack import completed, names_of, unpacks
from slipstream._routes.router import decorator
from slipstream.exception_handlers import (
    http_exception_handler,
    request_validation_exception_handler,
    websocket_request_validation_exception_handler,
)
from slipstream.exceptions import FastAPIDeprecationWarning, RequestValidationError, WebSocketRequestValidationError
from slipstream.limits import Limits
from slipstream.middleware.http import HTTPMiddleware
from slipstream.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from slipstream.routing import APIRoute, APIRouter
from slipstream.telemetry._settings import Settings
from slipstream.types import DecoratedCallable

P = ParamSpec("P")
R = TypeVar("R")

Overrides = dict[Callable[..., Any], Callable[..., Any]]


def _by_router(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Make a method of the application that calls the router's method of that name."""
    name = method.__name__

    @wraps(method)
    def call(app: Any, /, *args: P.args, **options: P.kwargs) -> R:
        result: R = getattr(app.router, name)(*args, **options)
        return result

    return call


class FastAPI(Starlette):
    """An application; see `AppOptions` for its options."""

    root_path: Any = Watched()
    """Path, a string, before the paths of the routes in every URL; "" takes the server's `root_path`."""

    middleware_stack: Any = Watched()
    """The ASGI app that serves the requests; None until the first request, or to have it built again."""

    dependency_overrides: Overrides = cast(Any, Watched(lambda given: WatchedDict(given or {})))
    """Callables to call in place of dependencies: `{original: replacement}`; meant for tests."""

    _place: tuple[object, Limits | None] = None, None
    """The router in which it is mounted, and the limits of the route by which it is."""

    links: Any = None
    """The attached `slipstream.links.Links`, or None: connections that the application dials."""

    @unpacks(AppOptions)
    def __init__(self, **options: Unpack[AppOptions]) -> None:
        given = completed(AppOptions, options, type(self).__name__)
        if given["openapi_url"]:
            assert given["title"], "A title must be provided for OpenAPI, e.g.: 'My API'"
            assert given["version"], "A version must be provided for OpenAPI, e.g.: '2.1.0'"
        if given["root_path"]:
            warnings.warn(
                "The `root_path` parameter is deprecated. Give the root path to the server: slipstream run --root-path",
                FastAPIDeprecationWarning,
                stacklevel=2,
            )
        self.debug = given["debug"]
        self.title, self.summary, self.description = given["title"], given["summary"], given["description"]
        self.version, self.terms_of_service = given["version"], given["terms_of_service"]
        self.contact, self.license_info = given["contact"], given["license_info"]
        self.openapi_url, self.openapi_tags = given["openapi_url"], given["openapi_tags"]
        self.openapi_external_docs = given["openapi_external_docs"]
        self.openapi_version = "3.1.0"
        self.openapi_schema: dict[str, Any] | None = None
        self._document = Latest(self._make_document)
        self.servers: list[dict[str, Any]] = given["servers"] or []
        self.separate_input_output_schemas = given["separate_input_output_schemas"]
        self.root_path, self.root_path_in_servers = given["root_path"], given["root_path_in_servers"]
        self.docs_url, self.redoc_url = given["docs_url"], given["redoc_url"]
        self.swagger_ui_oauth2_redirect_url = given["swagger_ui_oauth2_redirect_url"]
        self.swagger_ui_init_oauth = given["swagger_ui_init_oauth"]
        self.swagger_ui_parameters = given["swagger_ui_parameters"]
        self._telemetry = Settings.of(given["telemetry"])  # a half-public name of FastAPI
        self.observer = Observer(self, self._telemetry)
        self._entrance = Entrance(self)
        self.limits, self.max_body_size = folded(given)["limits"], given["max_body_size"]
        self.webhooks: APIRouter = given["webhooks"] or APIRouter()
        self.state = State()
        self.dependency_overrides = {}
        of_router: dict[str, Any] = {name: given[name] for name in names_of(RouterOptions) if name in given}  # type: ignore[literal-required]
        self.router: APIRouter = APIRouter(dependency_overrides_provider=self, **of_router)
        self.router.is_root = True
        self.exception_handlers: dict[Any, Callable[[Any, Any], Any]] = WatchedDict(
            {
                HTTPException: http_exception_handler,
                RequestValidationError: request_validation_exception_handler,
                WebSocketRequestValidationError: websocket_request_validation_exception_handler,
                **(given["exception_handlers"] or {}),
            }
        )
        self.user_middleware: list[Middleware] = list(given["middleware"] or [])
        self.middleware_stack = None
        self.setup()

    def build_middleware_stack(self) -> ASGIApp:
        """Put guards and middleware around the router; Starlette's own if a tool has replaced functions of these."""
        if not are_replaced():
            built = build_stack(
                self.router,
                self.user_middleware,
                self.exception_handlers,
                debug=self.debug,
                max_body_size=self.max_body_size,
                limits=self._limits_of_stack,
            )
            if not are_replaced():  # by a middleware, when it was made
                return built
        stack = cast(ServerErrorMiddleware, super().build_middleware_stack())
        stack.app = held(stack.app, self._limits_of_stack)
        return stack

    @property
    def _limits_of_stack(self) -> Limits:
        assigned = None if self.max_body_size is None else Limits(body_size=self.max_body_size)
        return limits_of(self, assigned)

    @property
    def limits_in_force(self) -> Limits:
        """The limits of the application, of what it is mounted in, and of the environment."""
        outer = limits_of(*self._place)
        return outer if self.limits is None else outer | self.limits

    def mounted_at(self, router: object, own: Limits | None) -> None:
        """Take the limits of a router and of a mount in it, or keep those of the first."""
        if self._place[0] is None:
            self._place = router, own
            version.bump()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI app."""
        scope["app"] = self
        entrance = self._entrance
        door = entrance.value if entrance.seen == version.number else entrance.enter(scope)
        try:
            await door.choose(scope).handler(scope, receive, send)
        except Exception as exc:
            await door.fail(exc, scope, receive, send)

    async def serve_direct(self, scope: Scope, receive: Receive, send: Send, raw: bytes, reply: Reply) -> None:
        """Serve an HTTP request whose body has arrived, without ASGI messages where possible; for `slipstream.server`.

        `raw` is the body, which `receive` returns to user code that reads it. `reply(status, headers, content)` sends
        a whole response, adds the content-length and returns True; `reply(status, headers, content, True)` sends one
        with all its headers, or returns False if it cannot; `send` sends a response in several pieces.
        """
        scope["app"] = self
        entrance = self._entrance
        door = entrance.value if entrance.seen == version.number else entrance.enter(scope)
        try:
            await door.choose_direct(scope).direct(scope, receive, send, raw, reply)
        except Exception as exc:
            self.complete_scope(scope)
            await door.fail(exc, scope, receive, send, reply=reply)

    @property
    def handlers_in_force(self) -> HandlerPair:
        """The exception handlers by class and by status, as of the last request."""
        return self._entrance.value.handlers

    def complete_scope(self, scope: Scope) -> None:
        """Write route, endpoint, router and exception handlers into a scope of `serve_direct` if they are missing."""
        if "router" not in scope:
            self._entrance.value.choose(scope)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document; made once, and again when routes have changed.

        Override this method, or assign `openapi_schema`, for another document.
        """
        document = self._document
        if self.openapi_schema is None or document.seen not in (-1, version.number):
            document.expire()
            self.openapi_schema = document.get()
        return self.openapi_schema

    def _make_document(self) -> dict[str, Any]:
        # Imported late: a tenth of the import time, and many processes never make the document.
        from slipstream.openapi.utils import get_openapi  # noqa: PLC0415 - see above

        same = (
            "title", "version", "openapi_version", "summary", "description", "terms_of_service", "contact",
            "license_info", "routes", "servers", "separate_input_output_schemas",
        )  # fmt: skip
        document: dict[str, Any] = get_openapi(
            **{name: getattr(self, name) for name in same},
            webhooks=self.webhooks.routes, tags=self.openapi_tags, external_docs=self.openapi_external_docs,
        )  # fmt: skip
        return document

    def setup(self) -> None:
        """Add the routes of the OpenAPI document and of the documentation pages."""
        pages: tuple[tuple[str | None, Callable[..., Any], str], ...] = (
            (self.openapi_url, self._serve_openapi, "openapi"),
            (self.docs_url, self._serve_swagger_ui, "swagger_ui_html"),
            (self.docs_url and self.swagger_ui_oauth2_redirect_url, self._serve_oauth2_redirect, "swagger_ui_redirect"),
            (self.redoc_url, self._serve_redoc, "redoc_html"),
        )
        for path, endpoint, name in pages if self.openapi_url and self.limits_in_force.docs else ():
            if path:
                self.add_route(path, endpoint, name=name, include_in_schema=False)

    async def _serve_openapi(self, request: Request) -> JSONResponse:
        root_path = _root_path(request)
        schema = self.openapi()
        servers = schema.get("servers", [])
        if root_path and self.root_path_in_servers and root_path not in {server.get("url") for server in servers}:
            schema = {**schema, "servers": [{"url": root_path}, *servers]}
        return JSONResponse(schema)

    async def _serve_swagger_ui(self, request: Request) -> HTMLResponse:
        root_path, redirect = _root_path(request), self.swagger_ui_oauth2_redirect_url
        return get_swagger_ui_html(
            openapi_url=f"{root_path}{self.openapi_url}",
            title=f"{self.title} - Swagger UI",
            oauth2_redirect_url=root_path + redirect if redirect else redirect,
            init_oauth=self.swagger_ui_init_oauth,
            swagger_ui_parameters=self.swagger_ui_parameters,
        )

    async def _serve_oauth2_redirect(self, request: Request) -> HTMLResponse:
        return get_swagger_ui_oauth2_redirect_html()

    async def _serve_redoc(self, request: Request) -> HTMLResponse:
        return get_redoc_html(openapi_url=f"{_root_path(request)}{self.openapi_url}", title=f"{self.title} - ReDoc")

    @unpacks(RouteOptions)
    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Unpack[RouteOptions]) -> None:
        """Add a path operation; see `APIRouter.add_api_route`."""
        self.router.add_api_route(path, endpoint, **options)

    add_api_websocket_route = _by_router(APIRouter.add_api_websocket_route)
    add_websocket_route = _by_router(APIRouter.add_websocket_route)
    add_event_handler = _by_router(APIRouter.add_event_handler)
    include_router = _by_router(APIRouter.include_router)
    api_route = _by_router(APIRouter.api_route)
    get = _by_router(APIRouter.get)
    put = _by_router(APIRouter.put)
    post = _by_router(APIRouter.post)
    delete = _by_router(APIRouter.delete)
    options = _by_router(APIRouter.options)
    head = _by_router(APIRouter.head)
    patch = _by_router(APIRouter.patch)
    trace = _by_router(APIRouter.trace)
    websocket = _by_router(APIRouter.websocket)
    websocket_route = _by_router(APIRouter.websocket_route)
    route = _by_router(APIRouter.route)
    frontend = _by_router(APIRouter.frontend)

    @deprecated("on_event is deprecated, use lifespan event handlers instead: lifespan=...")
    def on_event(self, event_type: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Call the decorated function at "startup" or "shutdown"; `lifespan` is the newer way."""
        return decorator(lambda function: self.add_event_handler(event_type, function), event_type)

    def middleware(self, middleware_type: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Run the decorated function of `(request, call_next)` around every HTTP request; "http" is the only type."""
        return decorator(lambda function: self.add_middleware(HTTPMiddleware, dispatch=function), middleware_type)

    def exception_handler(
        self, exc_class_or_status_code: int | type[Exception]
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer exceptions of a class, or responses of a status, with the decorated function of `(request, exc)`."""
        return decorator(
            lambda function: self.add_exception_handler(exc_class_or_status_code, function), exc_class_or_status_code
        )


def _root_path(request: Request) -> str:
    root_path: str = request.scope.get("root_path", "")
    return root_path.rstrip("/")


__all__ = ["APIRoute", "FastAPI"]
