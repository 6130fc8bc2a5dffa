"""Options of path operations: `@app.get(...)` and its seven siblings, `add_api_route`, `APIRoute`."""

from collections.abc import Sequence
from typing import Annotated, Any

from starlette.responses import JSONResponse
from typing_extensions import TypedDict

from slipstream._options.inherited import ResponseClass, RoutingOptions, TaggedOptions
from slipstream._options.unpack import Otherwise
from slipstream.datastructures import Default
from slipstream.types import IncEx


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

    response_class: Annotated[ResponseClass, Otherwise(Default(JSONResponse))]
    """Response class for results that are no Response; JSON by default."""

    name: str | None
    """Name for `url_path_for`; the function's by default."""

    openapi_extra: dict[str, Any] | None
    """Keys to merge, deeply, into the operation in the OpenAPI document."""


class RouteOptions(VerbOptions, RoutingOptions, total=False):
    """All options of a path operation."""

    methods: set[str] | list[str] | None
    """HTTP methods that it serves; GET by default."""


class WebSocketOptions(TypedDict, total=False):
    """Options of a WebSocket endpoint."""

    name: str | None
    """Name for `url_path_for`; the function's by default."""

    dependencies: Sequence[Any] | None
    """`Depends(...)` to run first; those of outer levels before."""

    dependency_overrides_provider: Any | None
    """Object whose `dependency_overrides` hold; the application."""
