"""The OpenAPI document of an app, at FastAPI's address for it.

An app calls `get_openapi`. The other functions are FastAPI's single steps, for packages that call them.
The `model_name_map` that they take is not used.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import FlatCall, SecurityUse, flatten
from slipstream._engine.plan.model import Call
from slipstream.openapi._build import operations, shapes
from slipstream.openapi._build.document import get_openapi as get_openapi
from slipstream.openapi._build.responses import HTTP_VALIDATION_ERROR, STATUS_RANGES, VALIDATION_ERROR
from slipstream.openapi._build.routes import PathOperation, documented_fields, path_operations
from slipstream.openapi._build.schemas import FieldMapping, FieldSchemas, define

validation_error_definition = VALIDATION_ERROR
validation_error_response_definition = HTTP_VALIDATION_ERROR
status_code_ranges = STATUS_RANGES


def get_fields_from_routes(routes: Sequence[Any]) -> list[ModelField]:
    """List every field whose schema the document of routes needs; those of parameters are in the routes' trees."""
    for route in path_operations(routes):
        _ = route.dependant  # its fields are then those of the tree, and not shared with other routes
    return documented_fields(routes)


def get_definitions(
    *,
    fields: Sequence[ModelField],
    model_name_map: Mapping[Any, str] | None = None,
    separate_input_output_schemas: bool = True,
) -> tuple[FieldMapping, dict[str, dict[str, Any]]]:
    """Make the schemas of fields, by field and mode, and the definitions that they point to, by name."""
    return define(fields, separate=separate_input_output_schemas)


def get_openapi_path(
    *,
    route: PathOperation,
    operation_ids: set[str],
    model_name_map: Mapping[Any, str] | None = None,
    field_mapping: FieldMapping,
    separate_input_output_schemas: bool = True,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Describe one path operation: operations by method, security schemes by name, definitions by name."""
    schemas = FieldSchemas(field_mapping, separate=separate_input_output_schemas)
    gathered = operations.Gathered(operation_ids=operation_ids)
    described = shapes.free(operations.operations_of(route, schemas, gathered))
    return described, operations.scheme_definitions(gathered.security_schemes), shapes.free(gathered.definitions)


def get_openapi_operation_metadata(*, route: PathOperation, method: str, operation_ids: set[str]) -> dict[str, Any]:
    """Describe an operation by tags, summary, description, id and whether it is deprecated."""
    return operations.metadata(route, operation_ids)


def get_openapi_operation_request_body(
    *,
    body_field: ModelField | None,
    model_name_map: Mapping[Any, str] | None = None,
    field_mapping: FieldMapping,
    separate_input_output_schemas: bool = True,
) -> dict[str, Any] | None:
    """Describe the body that a field stands for; None for no field."""
    schemas = FieldSchemas(field_mapping, separate=separate_input_output_schemas)
    return None if body_field is None else operations.request_body(body_field, schemas)


def generate_operation_summary(*, route: PathOperation, method: str) -> str:
    """Return an operation's summary, made from its name if nobody wrote one."""
    return operations.summary(route)


def generate_operation_id(*, route: PathOperation, method: str) -> str:
    """Return an operation's id. Deprecated: read `route.unique_id`."""
    warnings.warn("generate_operation_id() is deprecated: read route.unique_id", DeprecationWarning, stacklevel=2)
    return route.operation_id or route.unique_id


def get_openapi_security_definitions(flat_dependant: Call) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Describe the security schemes of a dependant: definitions by name, and the requirements."""
    return _get_openapi_security_definitions(flatten(flat_dependant).security)


def _get_openapi_security_definitions(
    security_dependencies: Sequence[SecurityUse],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    schemes = operations.schemes_by_name(security_dependencies)
    return operations.scheme_definitions(schemes), operations.requirements(security_dependencies)


def _get_openapi_dependency_data(dependant: Call) -> FlatCall:
    return flatten(dependant)


def _get_openapi_operation_parameters(
    *,
    dependency_data: FlatCall,
    model_name_map: Mapping[Any, str] | None = None,
    field_mapping: FieldMapping,
    separate_input_output_schemas: bool = True,
) -> list[dict[str, Any]]:
    schemas = FieldSchemas(field_mapping, separate=separate_input_output_schemas)
    return list(operations.every_parameter(dependency_data, schemas))
