"""The seams of the engine: what it asks of the floors above it, as protocols."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeGuard

from pydantic.fields import FieldInfo

from slipstream._engine.types import DependencyScope, ErrorDetail, Scope, SlotSource


class Limit(Protocol):
    """A bound on how many calls of one dependency run at once."""

    def get_semaphore(self) -> Any:
        """Return the semaphore of the running event loop (an async context manager)."""


class ValueMarker(FieldInfo):  # type: ignore[misc]  # Pydantic declares it final and keeps subclasses working
    """Metadata or default that says where a value comes from: `Query()`, `Body()`, …

    Never made here: every `FieldInfo` with a `slot_source` is one.
    """

    slot_source: SlotSource


class DependencyMarker(Protocol):
    """Metadata or default that names a callable to be called first: `Depends()`, `Security()`."""

    dependency: Callable[..., Any] | None
    use_cache: bool
    scope: DependencyScope | None

    @property
    def security_scopes(self) -> Sequence[str]:
        """OAuth2 scopes that this use of the dependency asks for, in order; mostly none."""

    @property
    def limit(self) -> Limit | None:
        """Bound on simultaneous calls, or None for no bound."""


def is_value_marker(thing: Any) -> TypeGuard[ValueMarker]:
    """Whether it says where a value comes from."""
    return hasattr(type(thing), "slot_source")


def is_dependency_marker(thing: Any) -> TypeGuard[DependencyMarker]:
    """Whether it names a callable to be called first."""
    return hasattr(type(thing), "security_scopes") and hasattr(thing, "dependency")


class Observation(Protocol):
    """What an observed handler finds in the scope, under `Services.observation_key`, and tells what it does."""

    def enter(self, connection: Any, function: str) -> None:
        """Note the Request or WebSocket of the handler, and the module and qualified name of its endpoint."""

    def read(self, body: Any) -> None:
        """Note the body, as it was read."""

    def invalid(self, errors: Sequence[Any], values: dict[str, Any] | None = None) -> None:
        """Note what was wrong with the request, and the arguments that were not."""

    def solved(self, values: dict[str, Any]) -> None:
        """Note the endpoint's arguments."""

    def operation(self, name: str) -> AbstractContextManager[None]:
        """Measure what happens inside of a `with` block."""


class Services(Protocol):
    """What the public floors lend to generated handlers, so that the engine needs no name of theirs."""

    def request_error(self, errors: list[ErrorDetail], body: Any, where: dict[str, Any]) -> Exception:
        """Make the exception for a request that does not fit (answered with 422)."""

    def websocket_error(self, errors: list[ErrorDetail], where: dict[str, Any]) -> Exception:
        """Make the exception for a WebSocket handshake that does not fit (closed with 1008)."""

    def response_error(self, errors: list[ErrorDetail], body: Any, where: dict[str, Any]) -> Exception:
        """Make the exception for an endpoint's return value that its own response model refuses."""

    def body_error(self, cause: Exception) -> Exception:
        """Make the exception for a body that cannot be read at all (answered with 400)."""

    @property
    def fail(self) -> Callable[..., Awaitable[None]]:
        """Answers an exception with the handler registered for it, or raises it again (entry/guard.py)."""

    def complete_scope(self, scope: Scope) -> None:
        """Note in a scope that came by the direct door what ASGI handlers find in theirs."""

    def swallowed_error(self) -> Exception:
        """Make the exception for a `yield` dependency that swallowed the endpoint's exception."""

    def format_event(self, item: Any, dump: Callable[[Any], bytes]) -> bytes:
        """Write one item of a Server-Sent-Events stream; `dump` writes what is not an event already."""

    def jsonable(self, value: Any) -> Any:
        """Turn any value into what `json.dumps` takes (FastAPI's `jsonable_encoder`)."""

    def background_tasks(self) -> Any:
        """Make an empty collection of background tasks."""

    @property
    def observation_key(self) -> str:
        """Key of the `Observation` in the scope of a request that an observed handler serves."""
