"""Options of routers: `APIRouter(...)`, `include_router(...)`, and what `FastAPI(...)` shares with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from slipstream._options.inherited import ResponseClass, TaggedDefaults, TaggedOptions
from slipstream.datastructures import Default, DefaultPlaceholder


class InclusionOptions(TaggedOptions, total=False):
    """What `include_router` says about every route of the router that it includes."""

    prefix: str
    """Path to put before each path; begins with a slash and does not end with one."""

    default_response_class: ResponseClass
    """Response class of routes that have none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InclusionDefaults(TaggedDefaults):
    """Defaults of `InclusionOptions`."""

    prefix: str = ""
    default_response_class: ResponseClass = field(default_factory=lambda: Default(JSONResponse))


class StarletteOptions(TypedDict, total=False):
    """What Starlette's applications and routers take too."""

    routes: list[BaseRoute] | None
    """Routes to begin with; a Starlette habit."""

    redirect_slashes: bool
    """Redirect (307) to the path with or without a slash at its end if that one is served."""

    on_startup: Sequence[Callable[[], Any]] | None
    """Functions to call at start-up; `lifespan` is the newer way."""

    on_shutdown: Sequence[Callable[[], Any]] | None
    """Functions to call at shut-down."""

    lifespan: Any | None
    """Async context manager around the application's life; what it yields becomes the requests' state."""


@dataclass(frozen=True, kw_only=True)  # without slots, for it stands beside another base
class StarletteDefaults:
    """Defaults of `StarletteOptions`."""

    routes: list[BaseRoute] | None = None
    redirect_slashes: bool = True
    on_startup: Sequence[Callable[[], Any]] | None = None
    on_shutdown: Sequence[Callable[[], Any]] | None = None
    lifespan: Any | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelDefaults(InclusionDefaults):
    """Defaults of all that a router says about its routes: what an inclusion may say, and what it may not."""

    strict_content_type: bool | DefaultPlaceholder = field(default_factory=lambda: Default(True))
    dependency_overrides_provider: Any | None = None


class RouterOptions(InclusionOptions, StarletteOptions, total=False):
    """Options of `APIRouter(...)`."""

    default: Any | None
    """ASGI app for what no route serves; a 404 by default."""

    dependency_overrides_provider: Any | None
    """Object whose `dependency_overrides` hold; the application."""

    strict_content_type: bool | DefaultPlaceholder
    """Whether a body is JSON only under a Content-Type that says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RouterDefaults(LevelDefaults, StarletteDefaults):
    """Defaults of `RouterOptions`."""

    default: Any | None = None
