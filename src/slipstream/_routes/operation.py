"""What a path operation is, worked out from its options: the response model, the stream, the plan."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.convertors import PathConvertor, StringConvertor
from starlette.responses import Response

from slipstream._app.refresh import WatchedList
from slipstream._engine.plan.build import build_http_plan, build_websocket_plan
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Call, Plan, ResponseSpec, StreamKind
from slipstream._engine.plan.tree import build_tree
from slipstream._engine.router.pattern import Pattern
from slipstream._engine.signature.annotations import is_subclass, stream_item
from slipstream._engine.signature.model import Origin
from slipstream._routes.public_errors import public_errors
from slipstream._routes.services import IMPLIED
from slipstream.datastructures import DefaultPlaceholder
from slipstream.exceptions import FastAPIError
from slipstream.responses import EventSourceResponse
from slipstream.sse import ServerSentEvent
from slipstream.utils import create_model_field, is_body_allowed_for_status_code


def read_tree(endpoint: Callable[..., Any], pattern: Pattern, dependencies: Sequence[Any]) -> Call:
    """Read an endpoint and its dependencies, errors in FastAPI's classes.

    Raises:
        FastAPIError: A parameter that Pydantic cannot validate.
        PydanticV1NotSupportedError: A model of Pydantic's first version.
        DependencyScopeError: A dependency that outlives one that it needs.
        DefinitionError: Anything else that is wrong.
    """
    with public_errors():
        tree = build_tree(endpoint, path=pattern.path_format, implied=IMPLIED, dependencies=dependencies)
    # Packages add dependencies to the trees of routes that are there already.
    tree.dependencies = WatchedList(tree.dependencies)
    return tree


def path_strings(pattern: Pattern) -> frozenset[str]:
    """Names of the path whose converter gives a string."""
    kinds = (StringConvertor, PathConvertor)
    return frozenset(name for name, convertor in pattern.convertors.items() if type(convertor) in kinds)


def describe(endpoint: Callable[..., Any], description: str | None) -> str:
    """The text of the documentation: what was given or the docstring, up to a form feed."""
    text = description or inspect.cleandoc(endpoint.__doc__ or "")
    return text.split("\f")[0].strip()


def stream_kind(tree: Call, response_class: Any) -> StreamKind | None:
    """How a generator endpoint streams; None for an endpoint that is none."""
    if not tree.is_generator:
        return None
    if isinstance(response_class, DefaultPlaceholder):
        return "jsonl"
    return "sse" if is_subclass(response_class, EventSourceResponse) else "raw"


def read_response_model(tree: Call, kind: StreamKind | None) -> tuple[Any, Any]:
    """Take the response model, or the type of a stream's items, from the return annotation."""
    annotation = tree.signature.returns
    if annotation is inspect.Signature.empty or is_subclass(annotation, Response):
        return None, None
    item = stream_item(annotation)
    if item is None or kind is None:
        return annotation, None
    if kind == "raw" or is_subclass(item, ServerSentEvent):
        return None, None
    return None, item


def response_field(model: Any, name: str, status_code: int | str | None, origin: Origin) -> ModelField | None:
    """Make the field that validates and writes a response model.

    Args:
        model: The response model; None for none.
        name: Name of the field.
        status_code: Status of the responses that it describes.
        origin: Where the endpoint is, for errors.

    Raises:
        FastAPIError: Pydantic cannot validate it.
        AssertionError: A response of this status has no body.
    """
    if not model:
        return None
    assert is_body_allowed_for_status_code(status_code), (
        f"Status code {status_code} must not have a response body\n  at {origin}\n"
        "  write response_model=None, or choose a status whose responses have one"
    )
    try:
        return create_model_field(name=name, type_=model, mode="serialization")
    except FastAPIError as exc:
        seen, _, advice = str(exc).partition("\n")
        raise type(exc)(f"{seen}\n  at {origin}\n{advice}") from exc.__cause__


def response_fields(
    responses: Mapping[int | str, dict[str, Any]], unique_id: str, origin: Origin
) -> dict[int | str, ModelField]:
    """Make the fields that document additional responses, by status; those without a model have none.

    Raises:
        FastAPIError: Pydantic cannot validate a model.
        AssertionError: A response is no dict, or one of its status has no body.
    """
    fields = {}
    for status, response in responses.items():
        assert isinstance(response, dict), "An additional response must be a dict"
        field = response_field(response.get("model"), f"Response_{status}_{unique_id}", status, origin)
        if field is not None:
            fields[status] = field
    return fields


def plan_http(route: Any, tree: Call) -> Plan:
    """Plan a path operation; `route` has FastAPI's attributes of one."""
    chosen = route.response_class
    response = ResponseSpec(
        status_code=route.status_code,
        response_class=None if isinstance(chosen, DefaultPlaceholder) else chosen,
        field=route.response_field,
        stream=route.stream_kind,
        item_field=route.stream_item_field,
        ping_interval=route.ping_interval,
        include=route.response_model_include,
        exclude=route.response_model_exclude,
        by_alias=route.response_model_by_alias,
        exclude_unset=route.response_model_exclude_unset,
        exclude_defaults=route.response_model_exclude_defaults,
        exclude_none=route.response_model_exclude_none,
    )
    strict = route.strict_content_type
    return build_http_plan(
        tree,
        methods=sorted(route.methods),
        unique_id=route.unique_id,
        response=response,
        strict_content_type=strict.value if isinstance(strict, DefaultPlaceholder) else strict,
        form_limits=route.form_limits,
        path_strings=path_strings(route.pattern),
    )


def plan_websocket(tree: Call, pattern: Pattern) -> Plan:
    """Plan a WebSocket endpoint."""
    return build_websocket_plan(tree, path_strings(pattern))
