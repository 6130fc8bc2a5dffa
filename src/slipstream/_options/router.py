"""Options of routers: `APIRouter(...)`, `include_router(...)`, and what `FastAPI(...)` shares with them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from slipstream._options.inherited import ResponseClass, RoutingOptions, TaggedOptions
from slipstream._options.unpack import Otherwise
from slipstream.datastructures import Default


class InclusionOptions(TaggedOptions, total=False):
    """Options of `include_router` for every route of the included router."""

    prefix: Annotated[str, Otherwise("")]
    """Path to put before each path; begins with a slash and does not end with one."""

    default_response_class: Annotated[ResponseClass, Otherwise(Default(JSONResponse))]
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
