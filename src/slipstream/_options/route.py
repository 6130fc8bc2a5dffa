"""Options of path operations: `@app.get(...)` and its seven siblings, `add_api_route`, `APIRoute`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

from slipstream._options.inherited import ResponseClass, TaggedDefaults, TaggedOptions
from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.types import IncEx


class VerbOptions(TaggedOptions, total=False):
    """Options of a path operation that every verb takes."""

    response_model: Any
    """Type that the result is validated against, filtered by and documented as; by default the return annotation."""

    status_code: int | None
    """HTTP status of a normal response; the response class's own by default."""

    summary: str | None
    """Title in the documentation; made from the name by default."""

    description: str | None
    """Text in the documentation, in Markdown; the docstring by default, up to a form feed."""

    response_description: str
    """Sentence on a normal response, in the documentation."""

    operation_id: str | None
    """Id in the OpenAPI document; made by `generate_unique_id_function` by default."""

    response_model_include: IncEx | None
    """Fields of the response model to send, all others left out."""

    response_model_exclude: IncEx | None
    """Fields of the response model to leave out."""

    response_model_by_alias: bool
    """Whether fields are sent under their aliases."""

    response_model_exclude_unset: bool
    """Leave out fields that were never set."""

    response_model_exclude_defaults: bool
    """Leave out fields that are equal to their default."""

    response_model_exclude_none: bool
    """Leave out fields that are None."""

    response_class: ResponseClass
    """Response class for results that are no Response; JSON by default."""

    name: str | None
    """Name for `url_path_for`; the function's by default."""

    openapi_extra: dict[str, Any] | None
    """Keys to merge, deeply, into the operation in the OpenAPI document."""


class RouteOptions(VerbOptions, total=False):
    """All options of a path operation."""

    methods: set[str] | list[str] | None
    """HTTP methods that it serves; GET by default."""

    strict_content_type: bool | DefaultPlaceholder
    """Whether a body is JSON only under a Content-Type that says so."""

    dependency_overrides_provider: Any | None
    """Object whose `dependency_overrides` hold; the application."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSocketDefaults:
    """Options of a WebSocket endpoint, with their defaults."""

    name: str | None = None
    dependencies: Sequence[Any] | None = None
    dependency_overrides_provider: Any | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VerbDefaults(TaggedDefaults):
    """Defaults of `VerbOptions`."""

    response_model: Any = Default(None)
    status_code: int | None = None
    summary: str | None = None
    description: str | None = None
    response_description: str = "Successful Response"
    operation_id: str | None = None
    response_model_include: IncEx | None = None
    response_model_exclude: IncEx | None = None
    response_model_by_alias: bool = True
    response_model_exclude_unset: bool = False
    response_model_exclude_defaults: bool = False
    response_model_exclude_none: bool = False
    response_class: ResponseClass = field(default_factory=lambda: Default(JSONResponse))
    name: str | None = None
    openapi_extra: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteDefaults(VerbDefaults):
    """Defaults of `RouteOptions`."""

    methods: set[str] | list[str] | None = None
    strict_content_type: bool | DefaultPlaceholder = field(default_factory=lambda: Default(True))
    dependency_overrides_provider: Any | None = None
