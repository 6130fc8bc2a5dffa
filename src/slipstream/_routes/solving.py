"""Solves dependencies by walking a tree of calls, step by step.

What is compiled does the same without a walk. This way is for packages that serve requests by themselves, and for
routes while a tool has replaced one of the functions that serve a request (`half_public.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import PydanticUndefined
from starlette.background import BackgroundTasks as StarletteBackgroundTasks
from starlette.datastructures import FormData
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from slipstream._engine.plan.body import form_models, should_embed
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.items import form_item, item_of
from slipstream._engine.plan.model import Call, call_key
from slipstream._engine.plan.tree import replacement
from slipstream._engine.runtime.body import key_taker, whole_taker
from slipstream._engine.runtime.cleanup import ShieldedGenerator, SlotExit, leave, not_yielded, open_shield, unwind
from slipstream._engine.runtime.response import blank_response
from slipstream._engine.runtime.take import form_taker
from slipstream._engine.runtime.threads import ThreadGenerator, in_thread
from slipstream._engine.runtime.values import UNSET, model_maker
from slipstream._engine.signature.kinds import may_hold_scopes
from slipstream._engine.types import CLOSING, EXITS, ErrorDetail, Scope
from slipstream._routes.compiler import overrides_of
from slipstream._routes.services import IMPLIED, SERVICES, public_errors
from slipstream.params import SecurityScopes
from slipstream.types import DependencyCacheKey

Values = tuple[dict[str, Any], list[ErrorDetail]]
"""The valid values by parameter name, and the errors of the others."""


def request_params_to_args(fields: Sequence[ModelField], received_params: Mapping[str, Any]) -> Values:
    """Read parameters of one source: a request's path, query, headers or cookies."""
    values: dict[str, Any] = {}
    errors: list[ErrorDetail] = []
    for field in fields:
        value, wrong = _param_taker(field)(received_params)
        if wrong:
            errors += wrong
        else:
            values[field.name] = value
    return values, errors


@lru_cache(maxsize=1024)
def _param_taker(field: ModelField) -> Callable[[Mapping[str, Any]], tuple[Any, list[ErrorDetail]]]:
    source = getattr(field.field_info, "slot_source", None)
    assert source is not None, f"{field!r} does not say where it is read: give Query(), Path(), Header() or Cookie()"
    from slipstream._engine.emit.values import make_taker  # noqa: PLC0415 - writes handlers, which others need not

    return make_taker(field, source)  # type: ignore[no-any-return]


async def request_body_to_args(
    body_fields: Sequence[ModelField], received_body: Any, embed_body_fields: bool
) -> Values:
    """Read parameters from a form or a parsed JSON body; embedded, each is a key of the body, even the only one."""
    assert body_fields, "request_body_to_args() takes the body's parameters, and there are none"
    is_model = bool(form_models(body_fields[0]))
    embed = embed_body_fields or should_embed(body_fields)
    if isinstance(received_body, FormData):
        whole = len(body_fields) == 1 and not embed and not is_model
        found, errors = await form_taker([form_item(field) for field in body_fields], whole=whole)(received_body)
        values = dict(zip((field.name for field in body_fields), found, strict=True))
        # A value is None where it was wrong; where it was sent as None, nothing was.
        return {name: value for name, value in values.items() if whole or not errors or value is not None}, errors
    embed = embed or is_model or len(body_fields) > 1
    body = UNSET if received_body is PydanticUndefined else received_body
    values, errors = {}, []
    for field in body_fields:
        value, wrong = (key_taker if embed else whole_taker)(item_of(field))(body)
        errors += wrong
        if not wrong or not embed:  # a body that is wrong as a whole is None, as FastAPI has it
            values[field.name] = value
    return values, errors


@dataclass
class SolvedDependency:
    """The valid arguments of a callable, and the errors of the others."""

    values: dict[str, Any]
    errors: list[Any]
    background_tasks: StarletteBackgroundTasks | None
    response: Response
    dependency_cache: dict[DependencyCacheKey, Any]


async def solve_dependencies(
    *,
    request: Request | WebSocket,
    dependant: Call,
    body: Any = PydanticUndefined,
    background_tasks: StarletteBackgroundTasks | None = None,
    response: Response | None = None,
    dependency_overrides_provider: Any | None = None,
    dependency_cache: dict[DependencyCacheKey, Any] | None = None,
    async_exit_stack: AsyncExitStack,
    embed_body_fields: bool,
) -> SolvedDependency:
    """Call everything that a callable depends on, and read its own parameters from the request.

    Dependencies set status and headers on `response`; `dependency_cache` has the results so far, and gets new ones.
    `async_exit_stack` closes `yield` dependencies, unless `request_response` serves the request and does it.
    """
    response = blank_response() if response is None else response
    cache = {} if dependency_cache is None else dependency_cache
    solved = SolvedDependency({}, [], background_tasks, response, cache)
    for dependency in dependant.dependencies:
        used = _replaced(dependency, dependency_overrides_provider)
        inner = await solve_dependencies(
            request=request,
            dependant=used,
            body=body,
            background_tasks=solved.background_tasks,
            response=response,
            dependency_overrides_provider=dependency_overrides_provider,
            dependency_cache=cache,
            async_exit_stack=async_exit_stack,
            embed_body_fields=embed_body_fields,
        )
        solved.background_tasks = inner.background_tasks
        solved.errors += inner.errors
        if not inner.errors:
            try:
                result = await _result(dependency, used, inner, request.scope, async_exit_stack)
            except _Refused as refused:
                solved.errors += refused.args[0]
                continue
            if dependency.name is not None:
                solved.values[dependency.name] = result
    await _take(dependant, request, body, embed_body_fields, solved)
    return solved


class _Refused(Exception):
    """A model that is a dependency does not take the values, for reasons that its validators give."""


async def _take(call: Call, request: HTTPConnection[Any], body: Any, embed: bool, solved: SolvedDependency) -> None:
    taken = [
        request_params_to_args(call.path_params, request.path_params),
        request_params_to_args(call.query_params, request.query_params),
        request_params_to_args(call.header_params, request.headers),
        request_params_to_args(call.cookie_params, request.cookies),
    ]
    if call.body_params:
        taken.append(await request_body_to_args(call.body_params, body, embed))
    for values, errors in taken:
        solved.values.update(values)
        solved.errors += errors
    for name, kind in call.contexts:
        if kind == "response":
            solved.values[name] = solved.response
        elif kind == "background":
            solved.background_tasks = solved.background_tasks or SERVICES.background_tasks()
            solved.values[name] = solved.background_tasks
        elif kind == "scopes":
            slot = next((slot for slot in call.signature.slots if slot.name == name), None)
            make: Any = SecurityScopes if slot is None else slot.annotation
            solved.values[name] = make(scopes=list(call.oauth_scopes))
        elif kind == "connection" or (kind == "websocket") == (request.scope["type"] == "websocket"):
            solved.values[name] = request


def _replaced(call: Call, provider: object) -> Call:
    overrides = overrides_of(provider)  # now, since a dependency may have installed one
    function = overrides.get(call.call) if overrides else None
    if function is None:
        return call
    with public_errors():
        return replacement(call, function, IMPLIED)


async def _result(asked: Call, used: Call, solved: SolvedDependency, scope: Scope, stack: AsyncExitStack) -> Any:
    """Return the result of a dependency, from the cache or by calling what is used for it."""
    key, cache = call_key(asked), solved.dependency_cache
    if asked.use_cache and key in cache:
        return cache[key]
    if used.is_generator:
        result = await _open(used, solved.values, _exits(used, scope, stack))
    else:
        async with nullcontext() if used.limit is None else used.limit.get_semaphore():
            call = used.call
            if hasattr(call, "__pydantic_validator__"):
                call = model_maker(call, {slot.name: slot.source for slot in used.signature.slots}, _Refused)
            result = await (call(**solved.values) if used.kind == "async" else in_thread(call, **solved.values))
    cache.setdefault(key, result)
    return result


async def _open(call: Call, values: dict[str, Any], exits: list[Any]) -> Any:
    if call.limit is not None:
        place = call.limit.get_semaphore()
        await place.acquire()
        exits.append(SlotExit(place))
    opened = call.call(**values)
    if call.kind == "gen":
        opened = ThreadGenerator(opened)
    elif may_hold_scopes(call.call):
        opened = ShieldedGenerator(opened, open_shield(exits))
    try:
        result = await opened.__anext__()
    except StopAsyncIteration:
        raise not_yielded(opened) from None
    exits.append(opened)
    return result


def _exits(call: Call, scope: Scope, stack: AsyncExitStack) -> list[Any]:
    """Return the list that is closed with the request, or else one that is closed with the caller's stack."""
    kept: list[Any] | None = scope.get(CLOSING if call.scope == "function" else EXITS)
    if kept is not None:
        return kept
    exits: list[Any] = []

    async def close(kind: Any, exc: BaseException | None, traceback: Any) -> bool:
        if exc is None:
            await leave(exits)
            return False
        remaining = await unwind(exits, exc)
        if remaining is not None and remaining is not exc:
            raise remaining
        return remaining is None

    stack.push_async_exit(close)
    return exits
