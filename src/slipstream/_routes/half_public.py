"""Functions of FastAPI's `routing` that are not documented, and that packages call or wrap all the same."""

from collections.abc import Callable
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from slipstream._engine.entry.lifespan import from_events
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Call
from slipstream._engine.runtime.threads import in_thread, is_async
from slipstream._routes.compiler import Compiler, overrides_of, wrapped_app
from slipstream._routes.router import TableRouter
from slipstream.encoders import jsonable_encoder
from slipstream.exceptions import EndpointContext, ResponseValidationError
from slipstream.telemetry._data import SCOPE_KEY

OWN_APP = "slipstream_app"
"""Attribute of a route's own handler: the ASGI app that serves the route without a Request object."""


def request_response(func: Callable[[Request], Any]) -> ASGIApp:
    """Make an ASGI app of a function from Request to Response; of a route's own handler, the route's compiled app."""
    own = getattr(func, OWN_APP, None)
    return wrapped_app(func, is_async=is_async(func)) if own is None else cast(ASGIApp, own)


def get_request_handler(
    dependant: Call, *, compiler: Compiler, dependency_overrides_provider: object = None, **described: Any
) -> Callable[[Request], Any]:
    """Make the function from Request to Response of a route.

    Args:
        dependant: The route's tree of calls; a package's function that wraps this one may replace its `call`.
        compiler: The route's compiler.
        dependency_overrides_provider: Object whose `dependency_overrides` hold.
        described: More about the route, under FastAPI's names, for the package's function; not used here.
    """

    async def handler(request: Request) -> Response:
        is_observed = request.scope.get(SCOPE_KEY) is not None
        compiled = compiler.compiled(overrides_of(dependency_overrides_provider), "request", is_observed=is_observed)
        return await compiled.handler(request)  # type: ignore[no-any-return]

    return handler


async def serialize_response(
    *,
    field: ModelField | None = None,
    response_content: Any,
    is_coroutine: bool = True,
    endpoint_ctx: EndpointContext | None = None,
    dump_json: bool = False,
    **options: Any,
) -> Any:
    """Validate a result against a response model, and turn it into values that JSON has, or into JSON.

    Args:
        field: The response model; None encodes the result without validation.
        is_coroutine: Whether to validate in the event loop and not in a thread.
        dump_json: Whether to return JSON, as bytes.
        options: Pydantic's `include`, `exclude`, `by_alias`, `exclude_unset`, `exclude_defaults`, `exclude_none`.

    Raises:
        ResponseValidationError: The result is not valid.
    """
    if field is None:
        return jsonable_encoder(response_content)
    if is_coroutine:
        value, errors = field.validate(response_content, loc=("response",))
    else:
        value, errors = await in_thread(field.validate, response_content, loc=("response",))
    if errors:
        raise ResponseValidationError(errors, body=response_content, endpoint_ctx=endpoint_ctx)
    options = {"by_alias": True, **options}
    return field.serialize_json(value, **options) if dump_json else field.serialize(value, **options)


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
