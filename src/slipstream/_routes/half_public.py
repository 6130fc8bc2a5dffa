"""Half-public functions of FastAPI's routing that packages call or wrap, made from the compiled routes."""

from collections.abc import Callable
from typing import Any, Protocol, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from slipstream._engine.entry.callables import is_async
from slipstream._engine.entry.lifespan import from_events
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Call
from slipstream._engine.runtime.threads import in_thread
from slipstream._routes.compiler import Compiler, overrides_of, wrapped_app
from slipstream.encoders import jsonable_encoder
from slipstream.exceptions import EndpointContext, ResponseValidationError
from slipstream.telemetry._data import SCOPE_KEY

OWN_APP = "slipstream_app"
"""Attribute of a route's own handler: what serves the route without a Request object."""


def request_response(func: Callable[[Request], Any]) -> ASGIApp:
    """Make an ASGI app of a function that takes a Request and returns a Response.

    What dependencies opened while the function ran is closed after the response. Given a route's own
    handler, unwrapped, it returns the route's compiled app.
    """
    own = getattr(func, OWN_APP, None)
    return wrapped_app(func, is_async=is_async(func)) if own is None else cast(ASGIApp, own)


def get_request_handler(
    dependant: Call, *, compiler: Compiler, dependency_overrides_provider: object = None, **described: Any
) -> Callable[[Request], Any]:
    """Make the function that turns a Request into a route's Response.

    Routes only call it where a package has put a function of its own in its place, which is to call
    this one. Such a function may put another callable into `dependant.call`.

    Args:
        dependant: The route's tree of calls.
        compiler: The route's compiler.
        dependency_overrides_provider: Object whose `dependency_overrides` hold.
        described: More about the route, under FastAPI's names; not used.
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
    """Check a result against a response model, and turn it into what JSON can hold.

    Args:
        field: The response model; None encodes the result as it is.
        response_content: The result.
        is_coroutine: Whether to check in the event loop and not in a thread.
        endpoint_ctx: Where the endpoint is, for the error.
        dump_json: Return JSON text.
        options: Pydantic's `include`, `exclude`, `by_alias`, `exclude_unset`, `exclude_defaults`, `exclude_none`.

    Raises:
        ResponseValidationError: The result does not fit.
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


class EventRouter(Protocol):
    """A router with `on_event` handlers."""

    on_startup: list[Callable[[], Any]]
    on_shutdown: list[Callable[[], Any]]


class DefaultLifespan:
    """The context of a router's `on_event` handlers, for a lifespan that is put around them.

    Args:
        router: Whose handlers they are.
    """

    def __init__(self, router: EventRouter) -> None:
        self._events = from_events(router.on_startup, router.on_shutdown)(router)

    async def __aenter__(self) -> None:
        await self._events.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._events.__aexit__(*exc_info)

    def __call__(self, app: object) -> "DefaultLifespan":
        """Serve as a lifespan function."""
        return self
