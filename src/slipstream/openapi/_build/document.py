"""The whole OpenAPI document: info, paths, webhooks, components, in their final form.

First all fields get their schemas, together, so that models share definitions and equal names of different models are
made unique. Then each path operation is described in plain dictionaries. Last, every part takes its final shape.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel

from slipstream.openapi._build import shapes
from slipstream.openapi._build.operations import Gathered, operations_of, scheme_definitions
from slipstream.openapi._build.routes import PathOperation, documented_fields, path_operations
from slipstream.openapi._build.schemas import FieldSchemas, define
from slipstream.openapi.models import ExternalDocumentation, Info, Server, Tag


def get_openapi(
    *,
    title: str,
    version: str,
    openapi_version: str = "3.1.0",
    summary: str | None = None,
    description: str | None = None,
    routes: Sequence[Any],
    webhooks: Sequence[Any] | None = None,
    tags: list[dict[str, Any]] | None = None,
    servers: list[dict[str, str | Any]] | None = None,
    terms_of_service: str | None = None,
    contact: dict[str, str | Any] | None = None,
    license_info: dict[str, str | Any] | None = None,
    separate_input_output_schemas: bool = True,
    external_docs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the OpenAPI document of routes, as JSON-compatible dictionaries that the caller may change.

    Args:
        version: Version of the API, not of OpenAPI.
        openapi_version: What the document says it follows; its content is that of 3.1.
        description: Markdown.
        routes: Routes of an app or a router; mounts and the like are left out.
        webhooks: Routes that describe what the API will call.
        tags: Descriptions of tags, in the order in which they are to be shown.
        terms_of_service: URL of the terms.
        contact: `name`, `url`, `email`.
        license_info: `name`, and `identifier` or `url`.
        separate_input_output_schemas: Whether a model may have two schemas, one as it is read (`Item-Input`)
            and one as it is written (`Item-Output`), where they differ.
        external_docs: `description` and `url`.

    Raises:
        ValidationError: Contact, license, servers, tags or external documentation are not as OpenAPI defines them.
    """
    # Listed once: what an included router yields may change while the document is made.
    listed, listed_webhooks = list(path_operations(routes)), list(path_operations(webhooks or ()))
    fields = documented_fields([*listed, *listed_webhooks])
    mapping, definitions = define(fields, separate=separate_input_output_schemas)
    schemas = FieldSchemas(mapping, separate=separate_input_output_schemas)
    gathered = Gathered(definitions)
    paths, hooks = (_by_path(each, schemas, gathered) for each in (listed, listed_webhooks))
    optional = {
        "summary": summary,
        "description": description,
        "termsOfService": terms_of_service,
        "contact": contact,
        "license": license_info,
    }
    info = {"title": title, "version": version} | {key: value for key, value in optional.items() if value}
    result = {
        "openapi": openapi_version,
        "info": _checked(Info, info),
        "servers": [_checked(Server, server) for server in servers or ()],
        "paths": {path: _path_item(item) for path, item in paths.items()},
        "webhooks": {path: shapes.path_item(item) for path, item in hooks.items()},
        "components": _components(gathered),
        "tags": [_checked(Tag, tag) for tag in tags or ()],
        "externalDocs": _checked(ExternalDocumentation, external_docs) if external_docs else None,
    }
    return {key: value for key, value in result.items() if value or key in ("openapi", "paths")}


def _by_path(routes: Iterable[PathOperation], schemas: FieldSchemas, gathered: Gathered) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if operations := operations_of(route, schemas, gathered):
            paths.setdefault(route.path_format, {}).update(operations)
    return paths


def _components(gathered: Gathered) -> dict[str, Any]:
    components = {}
    if gathered.definitions:
        definitions = sorted(gathered.definitions.items())
        components["schemas"] = {name: shapes.schema(definition) for name, definition in definitions}
    if gathered.security_schemes:
        schemes = scheme_definitions(gathered.security_schemes)
        components["securitySchemes"] = {name: shapes.security_scheme(scheme) for name, scheme in schemes.items()}
    return components


def _checked(model: type[BaseModel], value: Any) -> Any:
    """Check a part that the user wrote against OpenAPI's models, and write it in their order."""
    checked = model.model_validate(value)
    return shapes.free(checked.model_dump(mode="json", by_alias=True, exclude_none=True))


def _path_item(item: dict[str, Any]) -> Any:
    """Shape the operations of one path as FastAPI's document has them.

    There, a path stands in the specification's order only while none of its operations has
    parameters; with parameters, keys stay in the order they were gathered, and bounds stay integers.
    """
    is_left_alone = any(_keeps_order(operation) for operation in item.values())
    return shapes.free(item) if is_left_alone else shapes.path_item(item)


def _keeps_order(operation: dict[str, Any]) -> bool:
    return (
        any("in" in parameter for parameter in operation.get("parameters", ()))
        or "externalDocs" in operation
        or any(isinstance(tag, Enum) for tag in operation.get("tags", ()))
        or any(
            _keeps_order(inner)
            for by_path in operation.get("callbacks", {}).values()
            for item in by_path.values()
            for inner in item.values()
        )
    )
