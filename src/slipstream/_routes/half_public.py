"""Functions of FastAPI's `routing` that are not documented, and that packages call, wrap or replace all the same."""

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from slipstream._app.limits import limits_of
from slipstream._app.refresh import Latest
from slipstream._engine.entry.lifespan import from_events
from slipstream._engine.plan.body import is_form
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.model import DUMP_OPTIONS, BodyPlan, Call, Plan, ResponseSpec, StreamKind
from slipstream._engine.runtime.cleanup import locate
from slipstream._engine.runtime.threads import is_async
from slipstream._engine.signature.annotations import is_subclass
from slipstream._routes.compiler import Compiler, overrides_of, wrapped_app
from slipstream._routes.router import TableRouter
from slipstream._routes.stepwise import STEPS, is_walked, stepwise
from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.encoders import jsonable_encoder
from slipstream.exceptions import EndpointContext, ResponseValidationError
from slipstream.limits import Limits, of_forms
from slipstream.responses import EventSourceResponse
from slipstream.telemetry._data import SCOPE_KEY

OWN_APP = "slipstream_app"
"""Attribute of a route's own handler: the ASGI app that serves the route without a Request object."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A route that asks for its handler: the arguments that describe it, its compiler, its compiled app, its limits."""

    described: dict[str, Any]
    compiler: Compiler
    app: ASGIApp
    limits: Limits | None


asking: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""The route for which `get_request_handler` is called."""


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
    own = asking.get()
    if own is not None:
        is_own = all(own.described[name] is value for name, value in given.items())
        planned = replace(own.compiler.plan.response, ping_interval=response.ping_interval)
        own = own if is_own and planned == response else None
    provider = dependency_overrides_provider
    limits = limits_of(provider, of_forms(form_limits) if own is None else own.limits)
    walk = stepwise(Plan("http", dependant.path, dependant, body, response, limits=limits), provider)

    walks = Latest(lambda: own is None or is_walked(own.compiler.plan, provider))

    async def handler(request: Request) -> Response:
        if own is None or walks.get():
            return cast(Response, await walk(request))
        is_observed = request.scope.get(SCOPE_KEY) is not None
        compiled = own.compiler.compiled(
            overrides_of(provider), "request", is_observed=is_observed, limits=limits_of(provider, own.limits)
        )
        try:
            return cast(Response, await compiled.handler(request))
        except Exception as exc:
            locate(exc, request.scope)  # the user's route class may log it
            raise

    if own is not None:
        setattr(handler, OWN_APP, own.app)
    return handler


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

    def __init__(self, router: TableRouter) -> None:
        self._events = from_events(router.on_startup, router.on_shutdown)(router)

    async def __aenter__(self) -> None:
        await self._events.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._events.__aexit__(*exc_info)

    def __call__(self, app: object) -> "DefaultLifespan":
        return self
