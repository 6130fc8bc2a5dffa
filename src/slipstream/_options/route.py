"""Options of path operations: `@app.get(...)` and its seven siblings, `add_api_route`, `APIRoute`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.types import IncEx
from slipstream.utils import generate_unique_id

IdMaker = Callable[[Any], str] | DefaultPlaceholder

ResponseClass = type[Response] | DefaultPlaceholder
Responses = dict[int | str, dict[str, Any]]


class FormLimits(TypedDict, total=False):
    """Bounds on what a form may carry; each one that is not given is inherited."""

    max_fields: int
    """Most fields that are no files."""

    max_files: int
    """Most files."""

    max_part_size: int
    """Most bytes of one field that is no file."""


class VerbOptions(TypedDict, total=False):
    """Options of a path operation that every verb takes."""

    response_model: Any
    """Type that the result is validated against, filtered by and documented as; by default the return annotation."""

    status_code: int | None
    """HTTP status of a normal response; the response class's own by default."""

    tags: list[str | Enum] | None
    """Groups that the documentation lists the operation under, after those of its routers."""

    dependencies: Sequence[Any] | None
    """`Depends(...)` whose results nobody needs, run before the endpoint's own."""

    summary: str | None
    """Title in the documentation; made from the name by default."""

    description: str | None
    """Text in the documentation, in Markdown; the docstring by default, up to a form feed."""

    response_description: str
    """Sentence on a normal response, in the documentation."""

    responses: Responses | None
    """Further responses to document: status to `description`, `model`, `content`, …"""

    deprecated: bool | None
    """Mark the operation as deprecated in the documentation."""

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

    include_in_schema: bool
    """Whether the documentation shows the operation."""

    response_class: ResponseClass
    """Response class for results that are no Response; JSON by default."""

    name: str | None
    """Name for `url_path_for`; the function's by default."""

    callbacks: list[BaseRoute] | None
    """Routes of an `APIRouter` that document what the operation will call at the client."""

    openapi_extra: dict[str, Any] | None
    """Keys to merge, deeply, into the operation in the OpenAPI document."""

    generate_unique_id_function: IdMaker
    """Makes the operation's id from the route."""

    max_body_size: int | None
    """Most bytes of a request's body, 413 beyond; 0: only an empty one. None: what encloses it says."""

    form_limits: FormLimits | None
    """Bounds on forms; what encloses it says by default."""


class RouteOptions(VerbOptions, total=False):
    """All options of a path operation."""

    methods: set[str] | list[str] | None
    """HTTP methods that it serves; GET by default."""

    strict_content_type: bool | DefaultPlaceholder
    """Whether a body is JSON only under a Content-Type that says so."""

    dependency_overrides_provider: Any | None
    """Object whose `dependency_overrides` hold; the application."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerbDefaults:
    """Defaults of `VerbOptions`."""

    response_model: Any = Default(None)
    status_code: int | None = None
    tags: list[str | Enum] | None = None
    dependencies: Sequence[Any] | None = None
    summary: str | None = None
    description: str | None = None
    response_description: str = "Successful Response"
    responses: Responses | None = None
    deprecated: bool | None = None
    operation_id: str | None = None
    response_model_include: IncEx | None = None
    response_model_exclude: IncEx | None = None
    response_model_by_alias: bool = True
    response_model_exclude_unset: bool = False
    response_model_exclude_defaults: bool = False
    response_model_exclude_none: bool = False
    include_in_schema: bool = True
    response_class: ResponseClass = field(default_factory=lambda: Default(JSONResponse))
    name: str | None = None
    callbacks: list[BaseRoute] | None = None
    openapi_extra: dict[str, Any] | None = None
    generate_unique_id_function: IdMaker = field(default_factory=lambda: Default(generate_unique_id))
    max_body_size: int | None = None
    form_limits: FormLimits | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteDefaults(VerbDefaults):
    """Defaults of `RouteOptions`."""

    methods: set[str] | list[str] | None = None
    strict_content_type: bool | DefaultPlaceholder = field(default_factory=lambda: Default(True))
    dependency_overrides_provider: Any | None = None
