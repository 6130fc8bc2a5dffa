"""A user's function in, something that can be called with a connection and an event out.

The parameter annotated `Connection` gets the connection, the other one the event, validated by Pydantic as
an endpoint's body is. Parameters with `Depends()` are solved as for an endpoint (`slipstream.handlers`).
"""

from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter
from pydantic_core import from_json

from slipstream.handlers import EventHandler, UnfitHandler
from slipstream.links.connection import Connection
from slipstream.links.errors import WrongHandler


class Handler:
    """A function that handles the events of a link, or, without a parameter for events, a whole connection.

    Args:
        function: What the user wrote; async or not.
        link: Name of the link, for errors.
        overrides: Returns the object whose `dependency_overrides` hold, such as the application.

    Raises:
        WrongHandler: It asks for what a link does not have.
    """

    def __init__(self, function: Callable[..., Any], link: str, overrides: Callable[[], Any]) -> None:
        written = function.func if isinstance(function, partial) else function
        self.name = getattr(written, "__qualname__", repr(written))
        self._overrides = overrides
        try:
            self._handler = EventHandler(function, f"EVENT {link}", overrides)
            annotation = self._handler.event
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            self._adapter.rebuild()  # raises for a name that is unknown, which the constructor leaves for later
        except UnfitHandler as error:
            raise WrongHandler(link, self.name, error.claim) from error
        except NameError as unknown:
            raise WrongHandler(link, self.name, f"an annotation cannot be read ({unknown})") from unknown
        self._is_raw = (get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation) in (str, bytes)

    @property
    def is_conversation(self) -> bool:
        """Whether it holds a whole connection and reads the messages itself."""
        return self._handler.event is None

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
        """Call the function, and before it what it depends on."""
        return await self._handler.handle(connection, event, self._scope_of)

    def _scope_of(self, connection: Connection) -> MutableMapping[str, Any]:
        """Make the scope that dependencies see which ask for a Request, a header or a parameter of the path."""
        return {
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
            "app": self._overrides(),
            "path_params": dict(connection.path_params),
            "state": dict(connection.link.lifespan_state),
        }


async def current_connection(connection: Connection) -> Connection:
    """Give a dependency of a handler the connection: `Annotated[Connection, Depends(current_connection)]`."""
    return connection


def parsed(raw: str | bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is none.
    """
    return from_json(raw, allow_inf_nan=False)
