"""The path operations among the routes that are handed over, and what the document reads of each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import flatten
from slipstream._engine.plan.model import Call, Plan


class PathOperation(Protocol):
    """What is documented: a route, or a route as a router that includes it sees it."""

    path: str
    path_format: str
    methods: Any
    endpoint: Callable[..., Any]
    name: str
    summary: str | None
    description: str | None
    response_description: str
    deprecated: bool | None
    operation_id: str | None
    unique_id: str
    include_in_schema: bool
    tags: Sequence[Any]
    callbacks: Sequence[Any] | None
    openapi_extra: dict[str, Any] | None
    response_class: Any
    status_code: int | None
    responses: dict[int | str, dict[str, Any]]
    response_field: ModelField | None
    response_fields: dict[int | str, ModelField]
    body_field: ModelField | None
    stream_item_field: ModelField | None
    is_sse_stream: bool
    is_json_stream: bool
    plan: Plan
    dependant: Call


def path_operations(routes: Iterable[Any]) -> Iterator[PathOperation]:
    """Yield the HTTP path operations, those of included routers in their places; mounts and the like are left out."""
    for route in routes:
        effective_routes = getattr(route, "effective_routes", None)
        if effective_routes is not None:
            yield from path_operations(effective_routes())
        elif is_path_operation(route):
            yield route


def is_path_operation(route: Any) -> bool:
    """Whether a route is served by a plan of ours, over HTTP."""
    plan = getattr(route, "plan", None)
    return plan is not None and plan.protocol == "http"


def documented_fields(routes: Iterable[Any]) -> list[ModelField]:
    """List every field whose schema the document needs: of callbacks, then bodies, responses, parameters."""
    callbacks: list[ModelField] = []
    bodies: list[ModelField] = []
    responses: list[ModelField] = []
    params: list[ModelField] = []
    for route in path_operations(routes):
        if not route.include_in_schema:
            continue
        if route.body_field is not None:
            bodies.append(route.body_field)
        returned = (route.response_field, *route.response_fields.values(), route.stream_item_field)
        responses += [field for field in returned if field is not None]
        if route.callbacks:
            callbacks += documented_fields(route.callbacks)
        params += flatten(route.plan.root).params
    return [*callbacks, *bodies, *responses, *params]
