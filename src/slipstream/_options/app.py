"""Options of `FastAPI(...)`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from slipstream._options.inherited import InheritedOptions, ResponseClass
from slipstream._options.router import StarletteOptions
from slipstream._options.telemetry import TelemetryConfig
from slipstream._options.unpack import Otherwise
from slipstream.datastructures import Default


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
