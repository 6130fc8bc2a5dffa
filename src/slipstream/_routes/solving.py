"""Solves dependencies by walking a tree of calls, step by step.

What is compiled does the same without a walk. This way is for packages that serve requests by themselves, and for
routes while a tool has replaced one of the functions that serve a request (`stepwise.py`).
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

from slipstream._engine.emit.handler import CLOSING, EXITS
from slipstream._engine.emit.values import make_taker
from slipstream._engine.plan.body import form_models, should_embed
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import call_key
from slipstream._engine.plan.items import form_item, item_of
from slipstream._engine.plan.model import Call
from slipstream._engine.plan.tree import replacement
from slipstream._engine.runtime.body import key_taker, whole_taker
from slipstream._engine.runtime.cleanup import ShieldedGenerator, SlotExit, leave, not_yielded, open_shield, unwind
from slipstream._engine.runtime.response import blank_response
from slipstream._engine.runtime.take import form_taker
from slipstream._engine.runtime.threads import ThreadGenerator, in_thread
from slipstream._engine.runtime.values import UNSET, model_maker
from slipstream._engine.signature.kinds import may_hold_scopes
from slipstream._engine.types import ErrorDetail
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
    return make_taker(field, source)  # type: ignore[no-any-return]


async def request_body_to_args(body_fields: list[ModelField], received_body: Any, embed_body_fields: bool) -> Values:
    """Read parameters from a form or a parsed JSON body.

    Args:
        embed_body_fields: Whether each parameter is a key of the body, even if there is only one.
    """
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

    Args:
        dependant: The tree of the callable, which is not called itself.
        body: The parsed body.
        background_tasks: Tasks so far.
        response: Dependencies set status and headers on it.
        dependency_overrides_provider: Object with `dependency_overrides`.
        dependency_cache: Results so far; new ones are put into it.
        async_exit_stack: Closes `yield` dependencies, unless `request_response` serves the request and does it.
        embed_body_fields: Whether each body parameter is a key of the body.
    """
    solver = _Solver(
        request=request,
        body=body,
        tasks=background_tasks,
        response=blank_response() if response is None else response,
        provider=dependency_overrides_provider,
        cache={} if dependency_cache is None else dependency_cache,
        stack=async_exit_stack,
        embed=embed_body_fields,
    )
    values, errors = await solver.solve(dependant)
    return SolvedDependency(values, errors, solver.tasks, solver.response, solver.cache)


class _Refused(Exception):
    """A model that is a dependency does not take the values, for reasons that its validators give."""


@dataclass
class _Solver:
    """Solves one tree for one request."""

    request: HTTPConnection[Any]
    body: Any
    tasks: StarletteBackgroundTasks | None
    response: Response
    provider: object
    cache: dict[DependencyCacheKey, Any]
    stack: AsyncExitStack
    embed: bool

    async def solve(self, call: Call) -> tuple[dict[str, Any], list[Any]]:
        """Solve what a call depends on, and take its values."""
        values: dict[str, Any] = {}
        errors: list[Any] = []
        for dependency in call.dependencies:
            used = self._replaced(dependency)
            inner, wrong = await self.solve(used)
            if wrong:
                errors += wrong
                continue
            key = call_key(dependency)
            if dependency.use_cache and key in self.cache:
                result = self.cache[key]
            else:
                try:
                    result = await self._call(used, inner)
                except _Refused as refused:
                    errors += refused.args[0]
                    continue
                self.cache.setdefault(key, result)
            if dependency.name is not None:
                values[dependency.name] = result
        request = self.request
        for fields, source in (
            (call.path_params, request.path_params),
            (call.query_params, request.query_params),
            (call.header_params, request.headers),
            (call.cookie_params, request.cookies),
        ):
            found, wrong = request_params_to_args(fields, source)
            values.update(found)
            errors += wrong
        if call.body_params:
            found, wrong = await request_body_to_args(call.body_params, self.body, self.embed)
            values.update(found)
            errors += wrong
        for name, kind in call.contexts:
            values.update(self._context(call, name, kind))
        return values, errors

    def _replaced(self, call: Call) -> Call:
        """Return the call that an override stands in for, or the call itself."""
        overrides = overrides_of(self.provider)  # now, since a dependency may have installed one
        function = overrides.get(call.call) if overrides else None
        if function is None:
            return call
        with public_errors():
            return replacement(call, function, IMPLIED)

    async def _call(self, call: Call, values: dict[str, Any]) -> Any:
        if call.is_generator:
            return await self._open(call, values)
        async with nullcontext() if call.limit is None else call.limit.get_semaphore():
            function = call.call
            if hasattr(function, "__pydantic_validator__"):
                function = model_maker(function, {slot.name: slot.source for slot in call.signature.slots}, _Refused)
            return await (function(**values) if call.kind == "async" else in_thread(function, **values))

    async def _open(self, call: Call, values: dict[str, Any]) -> Any:
        exits = self._exits(call)
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

    def _exits(self, call: Call) -> list[Any]:
        """Return the list that is closed with the request, or else one that is closed with the caller's stack."""
        kept: list[Any] | None = self.request.scope.get(CLOSING if call.scope == "function" else EXITS)
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

        self.stack.push_async_exit(close)
        return exits

    def _context(self, call: Call, name: str, kind: str) -> dict[str, Any]:
        is_websocket = self.request.scope["type"] == "websocket"
        if kind == "response":
            return {name: self.response}
        if kind == "background":
            self.tasks = self.tasks or SERVICES.background_tasks()
            return {name: self.tasks}
        if kind == "scopes":
            slot = next((slot for slot in call.signature.slots if slot.name == name), None)
            make: Any = SecurityScopes if slot is None else slot.annotation
            return {name: make(scopes=list(call.oauth_scopes))}
        fits = kind == "connection" or (kind == "websocket") == is_websocket
        return {name: self.request} if fits else {}
