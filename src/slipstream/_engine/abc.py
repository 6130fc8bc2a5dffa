"""Protocols for what the engine uses of the modules above it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeGuard

from pydantic.fields import FieldInfo

from slipstream._engine.types import DependencyScope, ErrorDetail, Reply, Scope, SlotSource
from slipstream.limits import Limits


class Limit(Protocol):
    """A bound on simultaneous calls of a dependency."""

    def get_semaphore(self) -> Any:
        """Return the semaphore of the running event loop (an async context manager)."""


class ValueMarker(FieldInfo):  # type: ignore[misc]  # Pydantic declares it final and keeps subclasses working
    """Metadata or default that says where a value comes from: a `FieldInfo` with `slot_source`, such as `Query()`."""

    slot_source: SlotSource


class DependencyMarker(Protocol):
    """Metadata or default that names a callable to call first: `Depends()`, `Security()`."""

    dependency: Callable[..., Any] | None
    use_cache: bool
    scope: DependencyScope | None

    @property
    def security_scopes(self) -> Sequence[str]:
        """OAuth2 scopes that this use of the dependency asks for, in order."""

    @property
    def limit(self) -> Limit | None:
        """Bound on simultaneous calls; None for no bound."""


def is_value_marker(thing: Any) -> TypeGuard[ValueMarker]:
    return hasattr(type(thing), "slot_source")


def is_dependency_marker(thing: Any) -> TypeGuard[DependencyMarker]:
    return hasattr(type(thing), "security_scopes") and hasattr(thing, "dependency")


class Observation(Protocol):
    """What an observed handler reports to; the scope has it under `Services.observation_key`."""

    def enter(self, connection: Any, function: str) -> None:
        """Note the Request or WebSocket of the handler, and the module and qualified name of its endpoint."""

    def read(self, body: Any) -> None:
        """Note the body."""

    def invalid(self, errors: Sequence[Any], values: dict[str, Any] | None = None) -> None:
        """Note the validation errors, and the arguments that were valid."""

    def solved(self, values: dict[str, Any]) -> None:
        """Note the endpoint's arguments."""

    def operation(self, name: str) -> AbstractContextManager[None]:
        """Measure a `with` block."""


class Services(Protocol):
    """What generated handlers use of the modules above the engine, which it may not import."""

    def request_error(self, errors: list[ErrorDetail], body: Any, where: dict[str, Any], limits: Limits) -> Exception:
        """Make the exception for an invalid request (answered with 422, as far as the limits allow)."""

    def websocket_error(self, errors: list[ErrorDetail], where: dict[str, Any]) -> Exception:
        """Make the exception for an invalid WebSocket handshake (closed with 1008)."""

    def response_error(self, errors: list[ErrorDetail], body: Any, where: dict[str, Any]) -> Exception:
        """Make the exception for a return value that the response model does not accept."""

    def body_error(self, cause: Exception) -> Exception:
        """Make the exception for a body that cannot be read (answered with 400)."""

    @property
    def fail(self) -> Callable[..., Awaitable[None]]:
        """Answers an exception with the handler registered for it, or raises it again (`entry/guard.py`)."""

    def reply_quickly(self, exc: Exception, scope: Scope, reply: Reply) -> bool:
        """Reply to an exception at the direct door if its handler needs no scope; else return False."""

    def complete_scope(self, scope: Scope) -> None:
        """Write into a scope of the direct door what other code expects in ASGI's."""

    def swallowed_error(self) -> Exception:
        """Make the exception for a `yield` dependency that swallowed the endpoint's exception."""

    def format_event(self, item: Any, dump: Callable[[Any], bytes]) -> bytes:
        """Encode one item of a Server-Sent-Events stream; `dump` encodes data that is not an event."""

    def jsonable(self, value: Any) -> Any:
        """Convert any value for `json.dumps` (FastAPI's `jsonable_encoder`)."""

    def background_tasks(self) -> Any:
        """Make an empty collection of background tasks."""

    @property
    def observation_key(self) -> str:
        """Key of the `Observation` in the scope of an observed request."""
