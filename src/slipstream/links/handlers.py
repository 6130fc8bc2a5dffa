"""A user's function in, something that can be called with a connection and an event out.

The parameter annotated `Connection` gets the connection, the other one the event, validated by Pydantic as
an endpoint's body is. Parameters with `Depends()` are solved by a path operation that is made for the purpose
and called without a server: what an endpoint can depend on, a handler can.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message

from slipstream.links.connection import Connection
from slipstream.links.errors import WrongHandler
from slipstream.params import Depends
from slipstream.routing import APIRoute

CONNECTION, EVENT, RESULT = "slipstream.links.connection", "slipstream.links.event", "slipstream.links.result"


class Handler:
    """A function that handles the events of a link, or, without a parameter for events, a whole connection.

    Args:
        function: What the user wrote; async or not.
        link: Name of the link, for errors.
        overrides: Object whose `dependency_overrides` hold, such as the application.

    Raises:
        WrongHandler: It asks for what a link does not have.
    """

    def __init__(self, function: Callable[..., Any], link: str, overrides: Callable[[], Any]) -> None:
        written = function.func if isinstance(function, partial) else function
        given = function.keywords if isinstance(function, partial) else {}
        self.function = function
        self.name = getattr(written, "__qualname__", repr(written))
        self._overrides = overrides
        target = written if inspect.isroutine(written) else type(written).__call__
        self._is_async = inspect.iscoroutinefunction(target)
        try:
            hints = get_type_hints(inspect.unwrap(target), include_extras=True)
        except NameError as unknown:
            raise WrongHandler(link, self.name, f"an annotation cannot be read ({unknown})") from unknown
        self._connection: str | None = None
        self._event: str | None = None
        self._depends: list[inspect.Parameter] = []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in given:
                continue
            self._place(parameter.replace(annotation=hints.get(parameter.name, parameter.annotation)), link)
        self._route: APIRoute | None = None
        if self._depends:
            self._route = self._as_route()

    def _place(self, parameter: inspect.Parameter, link: str) -> None:
        annotation = parameter.annotation
        kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise WrongHandler(link, self.name, f"{parameter.name!r} is not a parameter that can be given by name")
        if _is_dependency(parameter):
            self._depends.append(parameter)
        elif _is_connection(kind, parameter.name) and self._connection is None:
            self._connection = parameter.name
        elif self._event is None:
            self._event = parameter.name
            self._kind = Any if annotation is parameter.empty else annotation
            self._is_raw = kind in (str, bytes)
            self._adapter: TypeAdapter[Any] = TypeAdapter(self._kind)
        elif parameter.default is parameter.empty:
            raise WrongHandler(
                link, self.name, f"there is one event at a time, for {self._event!r}, and none for {parameter.name!r}"
            )

    @property
    def is_conversation(self) -> bool:
        """Whether it holds a whole connection and reads the messages itself."""
        return self._event is None

    def read(self, raw: str | bytes) -> Any:
        """Make an event of what came over the wire: JSON, or as it is where `str` or `bytes` is asked for.

        Raises:
            ValueError: It is nothing that the handler takes.
        """
        if self._is_raw:
            wants_text = self._adapter.core_schema["type"] == "str"
            if isinstance(raw, bytes):
                return self._adapter.validate_python(raw.decode() if wants_text else raw)
            return self._adapter.validate_python(raw if wants_text else raw.encode())
        return self._adapter.validate_json(raw)

    def read_value(self, value: Any) -> Any:
        """Make an event of a part of an answer that has been parsed.

        Raises:
            ValueError: It is nothing that the handler takes.
        """
        return self._adapter.validate_python(value)

    async def run(self, connection: Connection, event: Any = None) -> Any:
        """Call the function."""
        if self._route is not None:
            return await self._run_route(connection, event)
        return await self._call(self._given(connection, event))

    async def _call(self, given: dict[str, Any]) -> Any:
        if self._is_async:
            return await self.function(**given)
        result = await run_in_threadpool(self.function, **given)
        return await result if inspect.isawaitable(result) else result  # a plain function around one that is async

    def _given(self, connection: Connection, event: Any) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self._connection is not None:
            given[self._connection] = connection
        if self._event is not None:
            given[self._event] = event
        return given

    def _as_route(self) -> APIRoute:
        """Make a path operation whose dependencies are the handler's, and whose endpoint is the handler."""

        async def endpoint(links_request: Request, **solved: Any) -> Response:
            given = self._given(links_request.scope[CONNECTION], links_request.scope[EVENT])
            links_request.scope[RESULT] = await self._call({**given, **solved})
            return Response(status_code=204)

        by_name = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter("links_request", by_name, annotation=Request),
            *(each.replace(kind=by_name) for each in self._depends),
        ]
        endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions take any attribute
        endpoint.__name__ = endpoint.__qualname__ = getattr(self.function, "__name__", "handler")
        return APIRoute("/", endpoint, methods=["POST"], response_model=None)

    async def _run_route(self, connection: Connection, event: Any) -> Any:
        assert self._route is not None
        provider = self._overrides()
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "root_path": "",
            "query_string": b"",
            "headers": connection.headers.raw,
            "client": None,
            "server": None,
            "app": provider,
            "path_params": dict(connection.path_params),
            "state": dict(connection.link.lifespan_state),
            CONNECTION: connection,
            EVENT: event,
        }
        serve: ASGIApp = self._route.handler(provider)
        await serve(scope, _no_body, _no_reply)
        return scope.get(RESULT)


def current_connection(request: Request) -> Connection:
    """Give a dependency of a handler the connection: `Annotated[Connection, Depends(current_connection)]`."""
    connection: Connection = request.scope[CONNECTION]
    return connection


def parsed(raw: str | bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is none.
    """
    return from_json(raw, allow_inf_nan=False)


def _is_connection(kind: Any, name: str) -> bool:
    if kind in (inspect.Parameter.empty, Any):
        return name == "connection"
    return isinstance(kind, type) and issubclass(kind, Connection)


def _is_dependency(parameter: inspect.Parameter) -> bool:
    if isinstance(parameter.default, Depends):
        return True
    if get_origin(parameter.annotation) is not Annotated:
        return False
    return any(isinstance(item, Depends) for item in get_args(parameter.annotation)[1:])


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _no_reply(message: Message) -> None:
    pass
