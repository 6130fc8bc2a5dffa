"""Serves a request step by step, through functions of `slipstream.routing` that tools replace at run time.

Routes are served this way while one of these functions or one of Starlette's Request is replaced, and if a dependency
may install an override, which holds for what is solved after it. Other routes are compiled, and nothing is asked for a
request.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import replace
from itertools import islice
from operator import is_not
from types import ModuleType
from typing import Any, Final

from pydantic_core import PydanticUndefined
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from slipstream._app.refresh import Latest, WatchedModule, is_as_written
from slipstream._engine.abc import Observation
from slipstream._engine.emit.handler import DEPENDENCIES, EXITS
from slipstream._engine.emit.observed import SERIALIZATION
from slipstream._engine.emit.response import ENDPOINT, streamer
from slipstream._engine.errors import function_name
from slipstream._engine.plan.model import Plan
from slipstream._engine.plan.tree import override_tree
from slipstream._engine.runtime.body import body_decoder, body_reader, form_reader
from slipstream._engine.runtime.response import dump, json_response, result_wrapper
from slipstream._engine.runtime.values import UNSET, find_header
from slipstream._engine.signature.kinds import mentions
from slipstream._engine.types import ErrorDetail, Scope
from slipstream._routes.compiler import overrides_of
from slipstream._routes.dependant import Dependant, dependant_of
from slipstream._routes.services import IMPLIED, SERVICES
from slipstream.telemetry._data import SCOPE_KEY


class Steps(Latest[bool]):
    """The functions that serve a request, as a module has them now; `get` says whether a tool has replaced one."""

    NAMES = ("solve_dependencies", "run_endpoint_function", "serialize_response", "run_in_threadpool")

    def __init__(self) -> None:
        super().__init__(self._compare)

    def watch(self, module: ModuleType) -> None:
        """Take a module whose functions are still as they were written."""
        module.__class__ = WatchedModule
        self.module: Any = module
        self._written = [vars(module)[name] for name in self.NAMES]

    def _compare(self) -> bool:
        known = vars(self.module)
        return any(map(is_not, map(known.get, self.NAMES), self._written))  # a wrapper may say that it is equal


STEPS: Final = Steps()


def is_walked(plan: Plan, provider: object) -> bool:
    """Whether a plan is carried out step by step, so that what happens in a request counts from then on.

    A function is replaced, a dependency may install an override, or an override fails when it is read.
    """
    if STEPS.get() or not is_as_written(Request):
        return True
    try:
        tree = override_tree(plan.root, overrides_of(provider), IMPLIED)
    except Exception:
        return True
    return any(mentions(call.call, "dependency_overrides") for call in islice(tree.walk(), 1, None))


def stepwise(plan: Plan, provider: object) -> Callable[[Any], Awaitable[Any]]:
    """Make the function that serves a Request or a WebSocket of a plan; `provider` has the `dependency_overrides`."""
    if not isinstance(plan.root, Dependant):
        plan = replace(plan, root=dependant_of(plan.root))  # tools give a copy of it another callable
    root, embed = plan.root, plan.body is not None and plan.body.embed
    read, finish = _reader(plan), _finisher(plan)
    is_websocket = plan.protocol == "websocket"

    async def serve(connection: HTTPConnection[Any]) -> Any:
        scope, steps = connection.scope, STEPS.module
        observed: Observation = scope.get(SCOPE_KEY) or _UNOBSERVED
        observed.enter(connection, function_name(root.call))
        stack = await _stack_of(scope)
        body = await read(connection, stack)
        seen = None if body is PydanticUndefined else body
        observed.read(seen)
        with observed.operation(DEPENDENCIES):
            solved = await steps.solve_dependencies(
                request=connection,
                dependant=root,
                **({} if is_websocket else {"body": body}),
                dependency_overrides_provider=provider,
                async_exit_stack=stack,
                embed_body_fields=embed,
            )
            if solved.errors:
                observed.invalid(solved.errors, solved.values)
                if is_websocket:
                    raise SERVICES.websocket_error(solved.errors, plan.where(scope))
                raise SERVICES.request_error(solved.errors, seen, plan.where(scope), plan.limits)
            observed.solved(solved.values)
        return await finish(solved, scope, observed)

    return serve


def _reader(plan: Plan) -> Callable[[Any, AsyncExitStack], Awaitable[Any]]:
    """Make the function that reads the body: a form, what JSON holds, bytes, or PydanticUndefined for none."""
    body = plan.body

    async def read_nothing(request: Any, stack: AsyncExitStack) -> Any:
        return PydanticUndefined

    if body is None:
        return read_nothing
    get_form = form_reader(SERVICES.body_error, plan.limits)
    get_raw = body_reader(SERVICES.body_error, from_request=True)
    decode = body_decoder(SERVICES, body.strict, plan.where, _report, plan.limits)

    async def read_form(request: Any, stack: AsyncExitStack) -> Any:
        form = await get_form(request)
        stack.push_async_callback(form.close)
        return form

    async def read_json(request: Any, stack: AsyncExitStack) -> Any:
        raw = await get_raw(request)
        value = decode(raw, find_header(request.scope, b"content-type"), request.scope)
        return PydanticUndefined if value is UNSET else value

    return read_form if body.kind == "form" else read_json


def _finisher(plan: Plan) -> Callable[[Any, Scope, Observation], Awaitable[Any]]:
    """Make the function that calls the endpoint, and puts its result into a Response."""
    root, spec = plan.root, plan.response
    is_coroutine = root.kind == "async"
    is_dumped = spec.response_class is None and spec.field is not None
    is_json = spec.response_class is None and not is_dumped
    wrap = result_wrapper(
        spec.response_class or json_response, dump if is_json else lambda content: content, spec.status_code
    )
    stream = None if spec.stream is None else streamer(SERVICES, plan)

    async def finish(solved: Any, scope: Scope, observed: Observation) -> Any:
        if stream is not None:
            return stream(root.call(**solved.values), solved.response, solved.background_tasks)
        with observed.operation(ENDPOINT):
            result = await STEPS.module.run_endpoint_function(
                dependant=root, values=solved.values, is_coroutine=is_coroutine
            )
        if not isinstance(result, Response):
            with observed.operation(SERIALIZATION):
                result = await STEPS.module.serialize_response(
                    field=spec.field,
                    response_content=result,
                    **spec.dump_options,
                    is_coroutine=is_coroutine,
                    endpoint_ctx=plan.where(scope),
                    dump_json=is_dumped,
                )
        return wrap(result, solved.response, solved.background_tasks)

    async def finish_websocket(solved: Any, scope: Scope, observed: Observation) -> Any:
        with observed.operation(ENDPOINT):
            await root.call(**solved.values)

    return finish_websocket if plan.protocol == "websocket" else finish


async def _stack_of(scope: Scope) -> AsyncExitStack:
    """Return a stack that is closed after the response; a caller that is not ours puts one into the scope."""
    exits = scope.get(EXITS)
    if exits is None:
        stack = scope.get("fastapi_inner_astack")
        assert isinstance(stack, AsyncExitStack), "fastapi_inner_astack not found in request scope"
        return stack
    opened = _opened_stack()
    exits.append(opened)
    return await anext(opened)


async def _opened_stack() -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def _report(scope: Scope, detail: ErrorDetail, text: str) -> None:
    """Report a body that is not JSON."""
    observation = scope.get(SCOPE_KEY)
    if observation is not None:
        observation.read(text)
        observation.invalid([detail])


class _Unobserved:
    """The Observation of a request that nobody observes."""

    def enter(self, connection: Any, function: str) -> None: ...
    def read(self, body: Any) -> None: ...
    def invalid(self, errors: Any, values: Any = None) -> None: ...
    def solved(self, values: dict[str, Any]) -> None: ...
    def operation(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()


_UNOBSERVED: Final = _Unobserved()
