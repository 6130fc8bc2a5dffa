"""The decorators that applications and routers have in common."""

from collections.abc import Callable, Sequence
from typing import Unpack

from typing_extensions import deprecated

from slipstream._options.route import VerbDefaults, VerbOptions
from slipstream._options.unpack import unpacks
from slipstream.params import Depends
from slipstream.types import DecoratedCallable


class Verbs:
    """Decorators of an application or a router; what they do is done by its `add_...` methods."""

    add_api_websocket_route: Callable[..., None]
    add_websocket_route: Callable[..., None]
    add_route: Callable[..., None]
    add_event_handler: Callable[..., None]

    def _verb(self, method: str, path: str, options: VerbOptions) -> Callable[[DecoratedCallable], DecoratedCallable]:
        raise NotImplementedError

    @unpacks(VerbOptions, VerbDefaults)
    def get(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `GET path` with the decorated function."""
        return self._verb("GET", path, options)

    @unpacks(VerbOptions, VerbDefaults)
    def put(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `PUT path` with the decorated function."""
        return self._verb("PUT", path, options)

    @unpacks(VerbOptions, VerbDefaults)
    def post(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `POST path` with the decorated function."""
        return self._verb("POST", path, options)

    @unpacks(VerbOptions, VerbDefaults)
    def delete(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `DELETE path` with the decorated function."""
        return self._verb("DELETE", path, options)

    @unpacks(VerbOptions, VerbDefaults)
    def options(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `OPTIONS path` with the decorated function."""
        return self._verb("OPTIONS", path, options)

    @unpacks(VerbOptions, VerbDefaults)
    def head(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `HEAD path` with the decorated function."""
        return self._verb("HEAD", path, options)

    @unpacks(VerbOptions, VerbDefaults)
    def patch(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `PATCH path` with the decorated function."""
        return self._verb("PATCH", path, options)

    @unpacks(VerbOptions, VerbDefaults)
    def trace(self, path: str, **options: Unpack[VerbOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve `TRACE path` with the decorated function."""
        return self._verb("TRACE", path, options)

    def websocket(
        self, path: str, name: str | None = None, *, dependencies: Sequence[Depends] | None = None
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve a WebSocket with the decorated function; see `add_api_websocket_route`."""

        def decorate(function: DecoratedCallable) -> DecoratedCallable:
            self.add_api_websocket_route(path, function, name=name, dependencies=dependencies)
            return function

        return decorate

    def websocket_route(self, path: str, name: str | None = None) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve a WebSocket with a function of the WebSocket alone, as Starlette does."""

        def decorate(function: DecoratedCallable) -> DecoratedCallable:
            self.add_websocket_route(path, function, name=name)
            return function

        return decorate

    def route(
        self, path: str, methods: Sequence[str] | None = None, name: str | None = None, include_in_schema: bool = True
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Serve a path with a function of the Request alone, as Starlette did."""

        def decorate(function: DecoratedCallable) -> DecoratedCallable:
            self.add_route(path, function, list(methods) if methods else None, name, include_in_schema)
            return function

        return decorate

    @deprecated("on_event is deprecated, use lifespan event handlers instead: lifespan=...")
    def on_event(self, event_type: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Call the decorated function at "startup" or "shutdown"; `lifespan` is the newer way."""

        def decorate(function: DecoratedCallable) -> DecoratedCallable:
            self.add_event_handler(event_type, function)
            return function

        return decorate
