"""Options of path operations, of routers, of inclusions and of the application, for the functions that take them.

An option of `InheritedOptions` can be set at every level and arrives at the route.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from enum import Enum
from typing import Annotated, Any, Protocol

from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from slipstream._options.unpack import Otherwise
from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.limits import Limits
from slipstream.types import IncEx
from slipstream.utils import generate_unique_id, get_value_or_default

IdMaker = Callable[[Any], str] | DefaultPlaceholder
ResponseClass = type[Response] | DefaultPlaceholder
Responses = dict[int | str, dict[str, Any]]


class FormLimits(TypedDict, total=False):
    """Bounds on forms; one that is not given is inherited."""

    max_fields: int
    """Most fields other than files."""

    max_files: int
    """Most files."""

    max_part_size: int
    """Most bytes of one field other than a file."""


def _check_bound(name: str, bound: object) -> None:
    if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int) or bound < 0):
        raise ValueError(f"{name} must be a non-negative integer or None, not {bound!r}")


def _check_form_limits(name: str, limits: Mapping[str, object] | None) -> None:
    for key, bound in (limits or {}).items():
        if key not in FormLimits.__annotations__ or bound is None:
            raise ValueError(f"{name} has no {key!r}={bound!r}; it knows {', '.join(FormLimits.__annotations__)}")
        _check_bound(f"{name}: {key}", bound)


def _check_limits(name: str, limits: object) -> None:
    if limits is not None and not isinstance(limits, Limits):
        raise TypeError(f"{name} must be a Limits, such as slipstream.INTERNET, not {limits!r}")


def _both_lists(outer: Sequence[Any] | None, inner: Sequence[Any] | None) -> list[Any]:
    return [*(outer or ()), *(inner or ())]


def _both_dicts(outer: Mapping[Any, Any] | None, inner: Mapping[Any, Any] | None) -> dict[Any, Any]:
    return {**(outer or {}), **(inner or {})}


def _both_limits(outer: Limits | None, inner: Limits | None) -> Limits | None:
    return outer | inner if outer and inner else outer or inner


def _inner_if_given(outer: int | None, inner: int | None) -> int | None:
    return outer if inner is None else inner


def replaceable(default: Any, **rules: Any) -> Otherwise:
    """Make the rules of an option whose default counts as not set: the innermost level that sets it wins."""
    return Otherwise(Default(default), merge=lambda outer, inner: get_value_or_default(inner, outer), **rules)


class GuardOptions(TypedDict, total=False):
    """Options that each level may set for what it serves, WebSockets too."""

    dependencies: Annotated[Sequence[Any] | None, Otherwise(merge=_both_lists)]
    """`Depends(...)` to run before the endpoint's own, results unused; those of outer levels run first."""

    limits: Annotated[Limits | None, Otherwise(check=_check_limits, merge=_both_limits, is_repeated=True)]
    """How strict to be with what clients send; each field that is not set is the next outer level's."""


class InheritedOptions(GuardOptions, total=False):
    """Options that each level may set for the path operations below it."""

    responses: Annotated[Responses | None, Otherwise(merge=_both_dicts)]
    """Further responses to document: status to `description`, `model`, `content`, …; the innermost level wins."""

    callbacks: Annotated[list[BaseRoute] | None, Otherwise(merge=_both_lists)]
    """Routes of an `APIRouter` that document the requests that the operation sends to its client."""

    deprecated: Annotated[bool | None, Otherwise(merge=lambda outer, inner: inner or outer)]
    """Mark the operation as deprecated in the documentation; True at one level is enough."""

    include_in_schema: Annotated[bool, Otherwise(True, merge=lambda outer, inner: outer and inner)]
    """Whether the documentation shows the operation; False at one level is enough to hide it."""

    generate_unique_id_function: Annotated[IdMaker, replaceable(generate_unique_id, is_repeated=True)]
    """Makes the operation's id from the route; the innermost level wins."""

    max_body_size: Annotated[int | None, Otherwise(check=_check_bound, merge=_inner_if_given, is_repeated=True)]
    """FastAPI's way to write `limits=Limits(body_size=…)`."""

    form_limits: Annotated[FormLimits | None, Otherwise(check=_check_form_limits, merge=_both_dicts, is_repeated=True)]
    """FastAPI's way to write `limits=Limits(form_fields=…, form_files=…, form_part_size=…)`."""


class TaggedOptions(InheritedOptions, total=False):
    """Options that each level but the application may set."""

    tags: Annotated[list[str | Enum] | None, Otherwise(merge=_both_lists)]
    """Groups that the documentation lists the operation under; those of outer levels come first."""


class ProvidedOptions(TypedDict, total=False):
    """The option of everything that has dependencies, but of inclusions."""

    dependency_overrides_provider: Annotated[Any | None, Otherwise(merge=lambda outer, inner: outer)]
    """Object whose `dependency_overrides` hold; the application."""


class RoutingOptions(ProvidedOptions, total=False):
    """Options that application, routers and routes set, and inclusions do not."""

    strict_content_type: Annotated[bool | DefaultPlaceholder, replaceable(True, is_repeated=True)]
    """Whether a body is JSON only under a Content-Type that says so."""


class VerbOptions(TaggedOptions, total=False):
    """Options of a path operation that every verb takes."""

    response_model: Annotated[Any, Otherwise(Default(None))]
    """Type that the result is validated against, filtered by and documented as; by default the return annotation."""

    status_code: int | None
    """HTTP status of a normal response; the response class's own by default."""

    summary: str | None
    """Title in the documentation; made from the name by default."""

    description: str | None
    """Text in the documentation, in Markdown; the docstring by default, up to a form feed."""

    response_description: Annotated[str, Otherwise("Successful Response")]
    """Sentence on a normal response, in the documentation."""

    operation_id: str | None
    """Id in the OpenAPI document; made by `generate_unique_id_function` by default."""

    response_model_include: IncEx | None
    """Fields of the response model to send, all others left out."""

    response_model_exclude: IncEx | None
    """Fields of the response model to leave out."""

    response_model_by_alias: Annotated[bool, Otherwise(True)]
    """Whether fields are sent under their aliases."""

    response_model_exclude_unset: Annotated[bool, Otherwise(False)]
    """Leave out fields that were never set."""

    response_model_exclude_defaults: Annotated[bool, Otherwise(False)]
    """Leave out fields that are equal to their default."""

    response_model_exclude_none: Annotated[bool, Otherwise(False)]
    """Leave out fields that are None."""

    response_class: Annotated[ResponseClass, replaceable(JSONResponse, outside="default_response_class")]
    """Response class for results that are no Response; JSON by default."""

    name: str | None
    """Name for `url_path_for`; the function's by default."""

    openapi_extra: dict[str, Any] | None
    """Keys to merge, deeply, into the operation in the OpenAPI document."""


class RouteOptions(VerbOptions, RoutingOptions, total=False):
    """All options of a path operation."""

    methods: set[str] | list[str] | None
    """HTTP methods that it serves; GET by default."""


class WebSocketOptions(GuardOptions, ProvidedOptions, total=False):
    """Options of a WebSocket endpoint."""

    name: str | None
    """Name for `url_path_for`; the function's by default."""


class InclusionOptions(TaggedOptions, total=False):
    """Options of `include_router` for every route of the included router."""

    prefix: Annotated[str, Otherwise("", merge=lambda outer, inner: outer + inner)]
    """Path to put before each path; begins with a slash and does not end with one."""

    default_response_class: Annotated[ResponseClass, replaceable(JSONResponse, is_repeated=True)]
    """Response class of routes that have none."""


class LevelOptions(InclusionOptions, RoutingOptions, total=False):
    """Options of a router for its routes."""


class StarletteOptions(TypedDict, total=False):
    """Options that Starlette's applications and routers have too."""

    routes: list[BaseRoute] | None
    """Routes to begin with, such as Starlette's."""

    redirect_slashes: Annotated[bool, Otherwise(True)]
    """Redirect (307) to the path with or without a slash at its end if that one is served."""

    on_startup: Sequence[Callable[[], Any]] | None
    """Functions to call at start-up; `lifespan` is the newer way."""

    on_shutdown: Sequence[Callable[[], Any]] | None
    """Functions to call at shut-down."""

    lifespan: Any | None
    """Async context manager around the application's life; what it yields becomes the requests' state."""


class RouterOptions(LevelOptions, StarletteOptions, total=False):
    """Options of `APIRouter(...)`."""

    default: Any | None
    """ASGI app for what no route serves; a 404 by default."""


class TracerProvider(Protocol):
    """The used part of `opentelemetry.trace.TracerProvider`; the package need not be installed."""

    def get_tracer(self, instrumenting_module_name: str, *args: Any, **kwargs: Any) -> Any: ...


class MeterProvider(Protocol):
    """The used part of `opentelemetry.metrics.MeterProvider`."""

    def get_meter(self, name: str, *args: Any, **kwargs: Any) -> Any: ...


class LoggerProvider(Protocol):
    """The used part of `opentelemetry._logs.LoggerProvider`."""

    def get_logger(self, name: str, *args: Any, **kwargs: Any) -> Any: ...


class TelemetryConfig(TypedDict, total=False):
    """Options of an application's telemetry; providers that it gives are never shut down here."""

    tracer_provider: TracerProvider | None
    """Makes the spans. Default: the global provider, if there is one."""

    meter_provider: MeterProvider | None
    """Makes the metrics. Default: the global provider, if there is one."""

    logger_provider: LoggerProvider | None
    """Takes the log records. Default: the global provider, if there is one."""

    tracing: bool
    """Whether requests and WebSocket connections get spans. Default: True."""

    metrics: bool
    """Whether HTTP requests are measured: duration in seconds, number in flight. Default: True."""

    logs: bool
    """Whether refused requests and unhandled exceptions are logged, the latter with traceback. Default: True."""

    operation_spans: bool
    """Whether dependencies, endpoint, serialization and background tasks get spans of their own. Default: True."""

    auto_configure: bool
    """Whether exporters are added at start-up for the OTLP endpoints that the environment names.
    Default: whether FASTAPI_OTEL_AUTO_CONFIGURE is "true"."""

    exclude: Callable[[MutableMapping[str, Any]], bool] | None
    """Takes the ASGI scope; returns whether nothing of the request is recorded. Default: all are recorded."""


class AppOptions(InheritedOptions, StarletteOptions, total=False):
    """Options of an application."""

    debug: Annotated[bool, Otherwise(False)]
    """Show tracebacks in the answers to unhandled exceptions; never in production."""

    title: Annotated[str, Otherwise("FastAPI")]
    """Title of the API in the documentation."""

    summary: str | None
    """One sentence on the API, in the documentation."""

    description: Annotated[str, Otherwise("")]
    """Text on the API, in Markdown."""

    version: Annotated[str, Otherwise("0.1.0")]
    """Version of your API."""

    openapi_url: Annotated[str | None, Otherwise("/openapi.json")]
    """Path of the OpenAPI document; None turns it and the documentation pages off."""

    openapi_tags: list[dict[str, Any]] | None
    """Tags with descriptions, in the order in which they are shown."""

    servers: list[dict[str, str | Any]] | None
    """Servers to name in the OpenAPI document."""

    default_response_class: Annotated[ResponseClass, Otherwise(Default(JSONResponse))]
    """Response class of path operations that have none."""

    docs_url: Annotated[str | None, Otherwise("/docs")]
    """Path of the Swagger UI page; None turns it off."""

    redoc_url: Annotated[str | None, Otherwise("/redoc")]
    """Path of the ReDoc page; None turns it off."""

    swagger_ui_oauth2_redirect_url: Annotated[str | None, Otherwise("/docs/oauth2-redirect")]
    """Path that the Swagger UI page returns to after an OAuth2 login."""

    swagger_ui_init_oauth: dict[str, Any] | None
    """What the Swagger UI page passes to `initOAuth`."""

    middleware: Sequence[Middleware] | None
    """Middleware to begin with, outermost first."""

    exception_handlers: Mapping[Any, Callable[[Any, Any], Any]] | None
    """Handlers by exception class or status code."""

    terms_of_service: str | None
    """URL of the terms of service."""

    contact: dict[str, str | Any] | None
    """Whom to ask: `name`, `url`, `email`."""

    license_info: dict[str, str | Any] | None
    """Licence of the API: `name`, `identifier` or `url`."""

    root_path: Annotated[str, Otherwise("")]
    """Path under which a proxy serves the application; the server's own option is the better place."""

    root_path_in_servers: Annotated[bool, Otherwise(True)]
    """Whether the OpenAPI document names the root path as a server."""

    webhooks: Any | None
    """Router whose path operations document what the application will call."""

    swagger_ui_parameters: dict[str, Any] | None
    """Settings of the Swagger UI page."""

    separate_input_output_schemas: Annotated[bool, Otherwise(True)]
    """Whether a model that reads and writes differently is documented twice."""

    openapi_external_docs: dict[str, Any] | None
    """Further documentation: `description`, `url`."""

    strict_content_type: Annotated[bool, Otherwise(True)]
    """Whether a body is JSON only under a Content-Type that says so."""

    telemetry: TelemetryConfig | None
    """What OpenTelemetry records of requests; None: all, with the global providers. Unknown keys are ignored."""
