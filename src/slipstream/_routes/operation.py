"""Read endpoints with their options: `read_operation` for HTTP, `read_websocket` for WebSockets."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any

from pydantic import PydanticUndefinedAnnotation
from starlette.convertors import PathConvertor, StringConvertor
from starlette.responses import Response

from slipstream._engine.errors import UnresolvedAnnotation, warn
from slipstream._engine.plan.build import build_http_plan, build_websocket_plan
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import DUMP_OPTIONS, Call, Plan, ResponseSpec, StreamKind
from slipstream._engine.plan.tree import build_tree
from slipstream._engine.router.pattern import Pattern
from slipstream._engine.signature.annotations import is_subclass, stream_item, unaliased
from slipstream._engine.signature.model import Origin
from slipstream._engine.signature.names import NOT_DEFINED, Frames, Names
from slipstream._options.levels import ResponseClass, RouteOptions
from slipstream._routes.services import IMPLIED, public_errors
from slipstream.datastructures import DefaultPlaceholder
from slipstream.exceptions import FastAPIError
from slipstream.responses import EventSourceResponse
from slipstream.sse import ServerSentEvent
from slipstream.utils import create_model_field, is_body_allowed_for_status_code


class Methods(set[str]):
    """The methods of a path operation in the order in which they were declared; in that of the alphabet, if as a set.

    What is made of them, such as the operation's id, is the same in every process.
    """

    __slots__ = ("_order",)

    def __init__(self, declared: Collection[str]) -> None:
        super().__init__(method.upper() for method in declared)
        has_order = isinstance(declared, Methods) or not isinstance(declared, Set)
        self._order = [method.upper() for method in (declared if has_order else sorted(declared))]

    def __iter__(self) -> Iterator[str]:
        declared = [method for method in dict.fromkeys(self._order) if method in self]
        return iter([*declared, *sorted(self.difference(declared))])


@dataclass(frozen=True, slots=True)
class Operation:
    """What is read of a path operation when it is registered.

    Attributes:
        tree: The endpoint and everything that it depends on.
        response: How the result becomes a response.
        response_model: Type that the result is validated against, or None.
        stream_item_type: Type that each item of a stream is validated against, or None.
        response_fields: Models of additional responses for the documentation, by status.
        plan: Makes the plan of the tree, or of one with overrides in it.
    """

    tree: Call
    response: ResponseSpec
    response_model: Any
    stream_item_type: Any
    response_fields: dict[int | str, ModelField]
    plan: Callable[[Call], Plan]


def read_operation(
    endpoint: Callable[..., Any],
    pattern: Pattern,
    options: RouteOptions,
    *,
    unique_id: str,
    stream_item_type: Any = None,
    ping_interval: Callable[[], float],
    frames: Frames | None = None,
) -> Operation:
    """Read a path operation; see `public_errors` and `response_field` for the exceptions.

    Args:
        options: Merged with those of the routers and inclusions above.
        unique_id: The operation's id; response fields and combined bodies are named after it.
        stream_item_type: See `Operation`; only for a twin, whose original has read the return annotation.
        ping_interval: Returns after how many seconds of silence a stream of events pings.
        frames: Functions in which names of annotations may be local; those that are running by default.
    """
    tree = read_tree(endpoint, pattern, options["dependencies"] or (), frames)
    names = Names(endpoint, frames)
    chosen, status, model = options["response_class"], options["status_code"], options["response_model"]
    stream = stream_kind(tree, chosen)
    if isinstance(model, DefaultPlaceholder):
        model, stream_item_type = read_response_model(tree, stream)
    status = int(status) if isinstance(status, IntEnum) else status
    if status is not None and status not in range(100, 600):
        warn(f"{status!r} is no status of HTTP", tree.origin, "write a number from 100 to 599: status_code=200")
    given: Any = options
    dump_options = {name: given[f"response_model_{name}"] for name in DUMP_OPTIONS}
    response = ResponseSpec(
        status_code=status,
        response_class=None if isinstance(chosen, DefaultPlaceholder) else chosen,
        field=response_field(model, f"Response_{unique_id}", status, tree.origin, names),
        stream=stream,
        is_events=stream is None and is_subclass(chosen, EventSourceResponse),
        item_field=response_field(stream_item_type, f"StreamItem_{unique_id}", None, tree.origin, names),
        ping_interval=ping_interval,
        dump_options=DUMP_OPTIONS if dump_options == DUMP_OPTIONS else dump_options,
    )
    strict = options["strict_content_type"]
    plan = partial(
        build_http_plan,
        methods=sorted(method.upper() for method in options["methods"] or ("GET",)),
        unique_id=unique_id,
        response=response,
        strict_content_type=strict.value if isinstance(strict, DefaultPlaceholder) else strict,
        path_strings=path_strings(pattern),
    )
    fields = response_fields(options["responses"] or {}, unique_id, tree.origin, names)
    return Operation(tree, response, model, stream_item_type, fields, plan)


def read_websocket(
    endpoint: Callable[..., Any], pattern: Pattern, dependencies: Sequence[Any], frames: Frames | None = None
) -> tuple[Call, Callable[[Call], Plan]]:
    """Read a WebSocket endpoint; return its tree, and the function that plans the tree."""
    tree = read_tree(endpoint, pattern, dependencies, frames)
    return tree, partial(build_websocket_plan, path_strings=path_strings(pattern))


def read_tree(
    endpoint: Callable[..., Any], pattern: Pattern, dependencies: Sequence[Any], frames: Frames | None
) -> Call:
    """Read an endpoint and its dependencies; see `public_errors` for the exceptions."""
    path = pattern.path_format
    with public_errors():
        return build_tree(endpoint, path=path, implied=IMPLIED, dependencies=dependencies, frames=frames)


def path_strings(pattern: Pattern) -> frozenset[str]:
    """Return the names of the path's parameters that stay strings."""
    kinds = (StringConvertor, PathConvertor)
    return frozenset(name for name, convertor in pattern.convertors.items() if type(convertor) in kinds)


def describe(endpoint: Callable[..., Any], description: str | None) -> str:
    """Return the description for the documentation: the given one or the docstring, up to a form feed."""
    text = description or (inspect.cleandoc(endpoint.__doc__) if endpoint.__doc__ else "")
    return text.split("\f")[0].strip()


def stream_kind(tree: Call, response_class: ResponseClass) -> StreamKind | None:
    """Return how a generator endpoint streams; None for any other endpoint."""
    if not tree.is_generator:
        return None
    if isinstance(response_class, DefaultPlaceholder):
        return "jsonl"
    return "sse" if is_subclass(response_class, EventSourceResponse) else "raw"


def read_response_model(tree: Call, kind: StreamKind | None) -> tuple[Any, Any]:
    """Return the response model and the type of a stream's items, as the return annotation says."""
    annotation = tree.signature.returns
    if isinstance(annotation, UnresolvedAnnotation):
        raise annotation
    if annotation is inspect.Signature.empty or is_subclass(unaliased(annotation), Response):
        return None, None
    item = stream_item(annotation)
    if item is None or kind is None:
        return annotation, None
    if kind == "raw" or is_subclass(item, ServerSentEvent):
        return None, None
    return None, item


def response_field(
    model: Any, name: str, status_code: int | str | None, origin: Origin, names: Names
) -> ModelField | None:
    """Make the field that validates and writes a response model, if there is one.

    Raises UnresolvedAnnotation for a name in it that is not defined (yet), AssertionError for a status without a body.
    """
    if not model:
        return None
    assert is_body_allowed_for_status_code(status_code), (
        f"Status code {status_code} must not have a response body\n  at {origin}\n"
        "  write response_model=None, or choose a status whose responses have one"
    )
    try:
        field = create_model_field(name=name, type_=names.resolve(model), mode="serialization")
        field.checker.rebuild()
    except (*NOT_DEFINED, PydanticUndefinedAnnotation) as exc:
        raise UnresolvedAnnotation(exc, "response model", model, origin) from exc
    except FastAPIError as exc:
        seen, _, advice = str(exc).partition("\n")
        raise type(exc)(f"{seen}\n  at {origin}\n{advice}") from exc.__cause__
    return field


def response_fields(
    responses: Mapping[int | str, dict[str, Any]], unique_id: str, origin: Origin, names: Names
) -> dict[int | str, ModelField]:
    """Make the fields of those additional responses that have a model, by status."""
    fields = {}
    for status, response in responses.items():
        assert isinstance(response, dict), "An additional response must be a dict"
        field = response_field(response.get("model"), f"Response_{status}_{unique_id}", status, origin, names)
        if field is not None:
            fields[status] = field
    return fields
