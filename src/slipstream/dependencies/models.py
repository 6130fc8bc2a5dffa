"""What FastAPI's module of that name answers about a `Dependant`."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from slipstream._engine.plan.model import Call, call_key, security_scheme
from slipstream._engine.signature.kinds import call_kind
from slipstream._engine.types import CallKind
from slipstream._routes.dependant import Dependant as Dependant
from slipstream.types import DependencyCacheKey


class _Same:
    """A callable that is known by its identity; some are equal to others, or have no hash."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __hash__(self) -> int:
        return id(self.call)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.call is other.call


def _is_of(kind: CallKind) -> tuple[Callable[[Callable[..., Any] | None], bool], Any]:
    @lru_cache(maxsize=4096)
    def is_of(same: _Same) -> bool:
        return call_kind(same.call) == kind

    return lambda call: call is not None and is_of(_Same(call)), is_of


_is_gen_callable, _is_gen_callable_cached = _is_of("gen")
_is_async_gen_callable, _is_async_gen_callable_cached = _is_of("async_gen")
_is_coroutine_callable, _is_coroutine_callable_cached = _is_of("async")


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
