"""A tree of calls under FastAPI's names: `Dependant`."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import call_key, security_scheme
from slipstream._engine.plan.model import Call
from slipstream._engine.signature.kinds import call_kind
from slipstream._engine.signature.model import Origin, Signature
from slipstream._engine.signature.origin import origin_of
from slipstream._engine.types import CallKind, ContextKind, DependencyScope
from slipstream.types import DependencyCacheKey


def _param_name(kind: ContextKind) -> Any:
    """Make the property for the parameter that receives one kind of object."""

    def get(self: Call) -> str | None:
        return next((name for name, received in self.contexts if received == kind), None)

    def put(self: Call, name: str | None) -> None:
        others = [(known, received) for known, received in self.contexts if received != kind]
        self.contexts = others if name is None else [*others, (name, kind)]

    return property(get, put)


def _scopes(shelf: str) -> Any:
    """Make the property that gives and takes scopes as a list."""

    def put(self: Call, scopes: Sequence[str] | None) -> None:
        setattr(self, shelf, tuple(scopes or ()))

    return property(lambda self: list(getattr(self, shelf)), put)


class Dependant(Call):
    """A callable, its parameters and its dependencies, under FastAPI's names.

    It is a `Call` of the engine: one that is appended to a route's `dependant.dependencies` is called for requests.
    """

    __slots__ = ()

    def __init__(
        self,
        path_params: list[ModelField] | None = None,
        query_params: list[ModelField] | None = None,
        header_params: list[ModelField] | None = None,
        cookie_params: list[ModelField] | None = None,
        body_params: list[ModelField] | None = None,
        dependencies: Sequence[Call] | None = None,
        name: str | None = None,
        call: Callable[..., Any] | None = None,
        *,
        own_oauth_scopes: list[str] | None = None,
        parent_oauth_scopes: list[str] | None = None,
        use_cache: bool = True,
        path: str | None = None,
        scope: DependencyScope | None = None,
        concurrency: Any = None,
        **param_names: str | None,
    ) -> None:
        super().__init__(
            signature=_unread(call),
            path=path or "",
            name=name,
            path_params=[] if path_params is None else path_params,
            query_params=[] if query_params is None else query_params,
            header_params=[] if header_params is None else header_params,
            cookie_params=[] if cookie_params is None else cookie_params,
            body_params=[] if body_params is None else body_params,
            dependencies=list(dependencies or []),
            use_cache=use_cache,
            scope=scope,
            own_scopes=tuple(own_oauth_scopes or ()),
            parent_scopes=tuple(parent_oauth_scopes or ()),
            limit=concurrency,
        )
        for param, received in param_names.items():
            setattr(self, param, received)

    request_param_name = _param_name("request")
    websocket_param_name = _param_name("websocket")
    http_connection_param_name = _param_name("connection")
    response_param_name = _param_name("response")
    background_tasks_param_name = _param_name("background")
    security_scopes_param_name = _param_name("scopes")

    own_oauth_scopes = _scopes("own_scopes")
    """Scopes that this use of the dependency asks for."""

    parent_oauth_scopes = _scopes("parent_scopes")
    """Scopes asked for on the way here."""

    @property
    def concurrency(self) -> Any:
        """Bound on simultaneous calls."""
        return self.limit


def dependant_of(call: Call) -> Dependant:
    """Make a `Dependant` of a tree of calls, with the same lists of parameters."""
    view = Dependant(
        call.path_params, call.query_params, call.header_params, call.cookie_params, call.body_params,
        [dependant_of(dependency) for dependency in call.dependencies],
        call.name, path=call.path, use_cache=call.use_cache, scope=call.scope, concurrency=call.limit,
    )  # fmt: skip
    view.signature, view.contexts = call.signature, call.contexts
    view.own_scopes, view.parent_scopes = call.own_scopes, call.parent_scopes
    return view


def _unread(call: Callable[..., Any] | None) -> Signature:
    """Make a signature without parameters; a Dependant is given its parameters in other arguments."""
    if call is None:
        nothing: Any = None
        return Signature(nothing, Origin("nothing", None, None), (), inspect.Signature.empty, "sync")
    return Signature(call, origin_of(call), (), inspect.Signature.empty, call_kind(call))


def _is_of(kind: CallKind) -> Callable[[Callable[..., Any] | None], bool]:
    return lambda call: call is not None and call_kind(call) == kind


_is_gen_callable = _is_of("gen")
_is_async_gen_callable = _is_of("async_gen")
_is_coroutine_callable = _is_of("async")


def _get_oauth_scopes(*, dependant: Call) -> list[str]:
    return list(dependant.oauth_scopes)


def _get_computed_scope(*, dependant: Call) -> str | None:
    return dependant.lifetime


def _get_cache_key(*, dependant: Call, uses_scopes_cache: dict[Any, Any] | None = None) -> DependencyCacheKey:
    return call_key(dependant)


def _uses_scopes(*, dependant: Call, cache: dict[Any, Any] | None = None) -> bool:
    """Whether scopes can make a difference to it or to what it depends on."""
    return (
        bool(dependant.own_scopes)
        or any(kind == "scopes" for _, kind in dependant.contexts)
        or _is_security_scheme(dependant=dependant)
        or any(_uses_scopes(dependant=inner) for inner in dependant.dependencies)
    )


def _is_security_scheme(*, dependant: Call) -> bool:
    return security_scheme(dependant.call) is not None


def _get_security_scheme(*, dependant: Call) -> Any:
    return security_scheme(dependant.call)
