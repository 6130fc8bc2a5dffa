"""Functions of FastAPI's `routing` that tools call, wrap or replace, undocumented as they are, and the way by them.

Routes are served step by step while one of these functions or one of Starlette's Request is replaced, and if a
dependency may install an override, which holds for what is solved after it. Other routes are compiled, and nothing is
asked for a request.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from itertools import islice
from operator import is_, is_not
from types import ModuleType
from typing import Any, Final, cast

from pydantic_core import PydanticUndefined
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from slipstream._app.limits import limits_of
from slipstream._app.refresh import Latest, WatchedModule, is_as_written
from slipstream._engine.abc import Observation
from slipstream._engine.entry.lifespan import from_events
from slipstream._engine.errors import function_name
from slipstream._engine.plan.body import is_form
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.model import DUMP_OPTIONS, BodyPlan, Call, Plan, ResponseSpec, StreamKind
from slipstream._engine.plan.tree import override_tree
from slipstream._engine.runtime.body import body_decoder, body_reader, form_reader
from slipstream._engine.runtime.cleanup import locate
from slipstream._engine.runtime.response import dump, json_response, result_wrapper
from slipstream._engine.runtime.threads import is_async
from slipstream._engine.runtime.values import UNSET, find_header
from slipstream._engine.signature.annotations import is_subclass
from slipstream._engine.signature.kinds import mentions
from slipstream._engine.types import DEPENDENCIES, ENDPOINT, EXITS, SERIALIZATION, ErrorDetail, Scope
from slipstream._routes.compiler import overrides_of, wrapped_app
from slipstream._routes.dependant import Dependant, dependant_of
from slipstream._routes.services import IMPLIED, SERVICES
from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.encoders import jsonable_encoder
from slipstream.exceptions import EndpointContext, ResponseValidationError
from slipstream.limits import of_forms
from slipstream.responses import EventSourceResponse
from slipstream.telemetry._data import SCOPE_KEY

OWN_APP = "slipstream_app"
"""Attribute of a route's own handler: the ASGI app that serves the route without a Request object."""


asking: ContextVar[Any] = ContextVar("asking", default=None)
"""The path operation whose `get_route_handler` is called, that of an inclusion for the one in its own router."""


def request_response(func: Callable[[Request], Any]) -> ASGIApp:
    """Make an ASGI app of a function from Request to Response; of a route's own handler, the route's compiled app."""
    own = getattr(func, OWN_APP, None)
    return wrapped_app(func, is_async=is_async(func)) if own is None else cast(ASGIApp, own)


def get_request_handler(
    dependant: Call,
    body_field: ModelField | None = None,
    status_code: int | None = None,
    response_class: type[Response] | DefaultPlaceholder = Default(JSONResponse),
    response_field: ModelField | None = None,
    response_model_include: Any = None,
    response_model_exclude: Any = None,
    response_model_by_alias: bool = True,
    response_model_exclude_unset: bool = False,
    response_model_exclude_defaults: bool = False,
    response_model_exclude_none: bool = False,
    dependency_overrides_provider: Any | None = None,
    embed_body_fields: bool = False,
    strict_content_type: bool | DefaultPlaceholder = Default(True),
    stream_item_field: ModelField | None = None,
    is_json_stream: bool = False,
    form_limits: dict[str, Any] | None = None,
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Make the function from Request to Response of a tree of calls and of options of a route, under FastAPI's names.

    It is compiled if the arguments are those by which a route asks for its own handler, and no attribute of the route
    has changed since it was read.
    """
    given = dict(locals())
    is_events = is_subclass(_unpacked(response_class), EventSourceResponse)
    kind: StreamKind = "sse" if is_events else "jsonl" if is_json_stream else "raw"
    body = None
    if body_field is not None:
        is_strict, fields = bool(_unpacked(strict_content_type)), flat_body_params(dependant)
        how: Any = "form" if is_form(body_field) else "json"
        body = BodyPlan(how, fields, embed_body_fields, is_strict, body_field)
    response = ResponseSpec(
        status_code=status_code,
        response_class=None if isinstance(response_class, DefaultPlaceholder) else response_class,
        field=response_field,
        stream=kind if dependant.is_generator else None,
        is_events=is_events and not dependant.is_generator,
        item_field=stream_item_field,
        dump_options={name: given[f"response_model_{name}"] for name in DUMP_OPTIONS},
    )
    own, provider = asking.get(), dependency_overrides_provider
    if own is not None:
        is_own = all(map(is_, described(own).values(), given.values()))
        planned = replace(own.plan.response, ping_interval=response.ping_interval)
        own = own if is_own and planned == response else None
    level = of_forms(form_limits) if own is None else own.limits
    plan = Plan("http", dependant.path, dependant, body, response, limits=limits_of(provider, level))
    walk = stepwise(plan, provider)
    compiler = None if own is None else own._compiler
    walks = Latest(lambda: compiler is None or is_walked(compiler.plan, provider))

    async def handler(request: Request) -> Response:
        if compiler is None or walks.get():
            return cast(Response, await walk(request))
        is_observed = request.scope.get(SCOPE_KEY) is not None
        compiled = compiler.compiled(
            overrides_of(provider), "request", is_observed=is_observed, limits=limits_of(provider, level)
        )
        try:
            return cast(Response, await compiled.handler(request))
        except Exception as exc:
            locate(exc, request.scope)  # the user's route class may log it
            raise

    if own is not None:
        setattr(handler, OWN_APP, own._serve_compiled if own._is_wrapped() else own.serve)
    return handler


_ARGUMENTS = tuple(inspect.signature(get_request_handler).parameters)


def described(route: Any) -> dict[str, Any]:
    """Return the arguments of `get_request_handler` that describe a route."""
    return {name: getattr(route, "_embed_body_fields" if name == "embed_body_fields" else name) for name in _ARGUMENTS}


def _unpacked(value: Any) -> Any:
    return value.value if isinstance(value, DefaultPlaceholder) else value


async def run_endpoint_function(*, dependant: Call, values: dict[str, Any], is_coroutine: bool) -> Any:
    """Call the callable of a dependant: a coroutine function in the event loop, any other in a thread."""
    if is_coroutine:
        return await dependant.call(**values)
    return await STEPS.module.run_in_threadpool(dependant.call, **values)


async def serialize_response(
    *,
    field: ModelField | None = None,
    response_content: Any,
    include: Any = None,
    exclude: Any = None,
    by_alias: bool = True,
    exclude_unset: bool = False,
    exclude_defaults: bool = False,
    exclude_none: bool = False,
    is_coroutine: bool = True,
    endpoint_ctx: EndpointContext | None = None,
    dump_json: bool = False,
) -> Any:
    """Validate a result against a response model, and turn it into values that JSON has, or with `dump_json` into JSON.

    Without a `field` the result is encoded and not validated. `is_coroutine` validates in the event loop and not in a
    thread. Raises ResponseValidationError for a result that is not valid, with `endpoint_ctx`.
    """
    if field is None:
        return jsonable_encoder(response_content)
    if is_coroutine:
        value, errors = field.validate(response_content, loc=("response",))
    else:
        value, errors = await STEPS.module.run_in_threadpool(field.validate, response_content, loc=("response",))
    if errors:
        raise ResponseValidationError(errors=errors, body=response_content, endpoint_ctx=endpoint_ctx)
    write = field.serialize_json if dump_json else field.serialize
    return write(
        value,
        include=include,
        exclude=exclude,
        by_alias=by_alias,
        exclude_unset=exclude_unset,
        exclude_defaults=exclude_defaults,
        exclude_none=exclude_none,
    )


class DefaultLifespan:
    """The lifespan function and context of a router's `on_event` handlers, for packages that wrap them."""

    def __init__(self, router: Any) -> None:
        self._events = from_events(router.on_startup, router.on_shutdown)(router)

    async def __aenter__(self) -> None:
        await self._events.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._events.__aexit__(*exc_info)

    def __call__(self, app: object) -> "DefaultLifespan":
        return self


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
    read, finish = None if plan.body is None else _reader(plan, plan.body), _finisher(plan)
    is_websocket = plan.protocol == "websocket"

    async def serve(connection: HTTPConnection[Any]) -> Any:
        scope, steps = connection.scope, STEPS.module
        observed: Observation = scope.get(SCOPE_KEY) or _UNOBSERVED
        observed.enter(connection, function_name(root.call))
        stack = await _stack_of(scope)
        body = PydanticUndefined if read is None else await read(connection, stack)
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


def _reader(plan: Plan, body: BodyPlan) -> Callable[[Any, AsyncExitStack], Awaitable[Any]]:
    """Make the function that reads the body: a form, what JSON holds, bytes, or PydanticUndefined for none."""
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
    stream = None
    if spec.stream is not None:
        from slipstream._engine.emit.response import streamer  # noqa: PLC0415 - writes handlers, which others need not

        stream = streamer(SERVICES, plan)

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
