"""Options of routers: `APIRouter(...)`, `include_router(...)`, and what `FastAPI(...)` shares with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from slipstream._options.route import FormLimits, IdMaker, ResponseClass, Responses
from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.utils import generate_unique_id


class InclusionOptions(TypedDict, total=False):
    """What `include_router` says about every route of the router that it includes."""

    prefix: str
    """Path to put before each path; begins with a slash and does not end with one."""

    tags: list[str | Enum] | None
    """Tags to put before each route's own."""

    dependencies: Sequence[Any] | None
    """`Depends(...)` to run before each route's own."""

    default_response_class: ResponseClass
    """Response class of routes that have none."""

    responses: Responses | None
    """Further responses to document; a route's own win."""

    callbacks: list[BaseRoute] | None
    """Callbacks to document, before each route's own."""

    deprecated: bool | None
    """Mark every operation as deprecated."""

    include_in_schema: bool
    """Whether the documentation shows the operations."""

    generate_unique_id_function: IdMaker
    """Makes the ids of operations that have no function of their own."""

    max_body_size: int | None
    """Most bytes of a request's body; None: what encloses it says."""

    form_limits: FormLimits | None
    """Bounds on forms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InclusionDefaults:
    """Defaults of `InclusionOptions`."""

    prefix: str = ""
    tags: list[str | Enum] | None = None
    dependencies: Sequence[Any] | None = None
    default_response_class: ResponseClass = field(default_factory=lambda: Default(JSONResponse))
    responses: Responses | None = None
    callbacks: list[BaseRoute] | None = None
    deprecated: bool | None = None
    include_in_schema: bool = True
    generate_unique_id_function: IdMaker = field(default_factory=lambda: Default(generate_unique_id))
    max_body_size: int | None = None
    form_limits: FormLimits | None = None


class RouterOptions(InclusionOptions, total=False):
    """Options of `APIRouter(...)`."""

    routes: list[BaseRoute] | None
    """Routes to begin with; a Starlette habit."""

    redirect_slashes: bool
    """Redirect (307) to the path with or without a slash at its end if that one is served."""

    default: Any | None
    """ASGI app for what no route serves; a 404 by default."""

    dependency_overrides_provider: Any | None
    """Object whose `dependency_overrides` hold; the application."""

    on_startup: Sequence[Callable[[], Any]] | None
    """Functions to call at start-up; `lifespan` is the newer way."""

    on_shutdown: Sequence[Callable[[], Any]] | None
    """Functions to call at shut-down."""

    lifespan: Any | None
    """Async context manager around the application's life; what it yields becomes the requests' state."""

    strict_content_type: bool | DefaultPlaceholder
    """Whether a body is JSON only under a Content-Type that says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RouterDefaults(InclusionDefaults):
    """Defaults of `RouterOptions`."""

    routes: list[BaseRoute] | None = None
    redirect_slashes: bool = True
    default: Any | None = None
    dependency_overrides_provider: Any | None = None
    on_startup: Sequence[Callable[[], Any]] | None = None
    on_shutdown: Sequence[Callable[[], Any]] | None = None
    lifespan: Any | None = None
    strict_content_type: bool | DefaultPlaceholder = field(default_factory=lambda: Default(True))
