"""Routers and their path operations: what their signatures say, what they accept, what they serve."""

import inspect
from collections.abc import Callable
from typing import Any

import fastapi
import fastapi.routing
import pytest

import slipstream
import slipstream.routing

VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """Name each parameter, with its kind and its default."""
    return {name: (each.kind, written(each.default)) for name, each in inspect.signature(function).parameters.items()}


def written(default: Any) -> str:
    """Write a default so that equal ones of both frameworks read the same."""
    if isinstance(default, fastapi.datastructures.DefaultPlaceholder | slipstream.datastructures.DefaultPlaceholder):
        return f"Default({written(default.value)})"
    return str(getattr(default, "__name__", default))


@pytest.mark.parametrize("owner", ["FastAPI", "APIRouter"])
@pytest.mark.parametrize("function", [*VERBS, "__init__", "include_router"])
def test_parameters_and_defaults_are_fastapis(owner: str, function: str) -> None:
    """Editors, `help`, and packages that wrap the decorators read them."""
    theirs = parameters(getattr(getattr(fastapi, owner), function))
    ours = parameters(getattr(getattr(slipstream, owner), function))

    assert ours == theirs


@pytest.mark.parametrize("owner", ["FastAPI", "APIRouter"])
@pytest.mark.parametrize("function", ["add_api_route", "api_route"])
def test_the_general_doors_take_what_fastapis_take(owner: str, function: str) -> None:
    """They take a few options more, which FastAPI's routes have and its decorators do not pass on."""
    theirs = parameters(getattr(getattr(fastapi, owner), function))
    ours = parameters(getattr(getattr(slipstream, owner), function))

    assert theirs.items() <= ours.items()
    assert set(ours) - set(theirs) <= {"callbacks", "strict_content_type", "dependency_overrides_provider"}


@pytest.mark.parametrize("route", ["APIRoute", "APIWebSocketRoute"])
def test_the_parameters_of_routes_are_fastapis(route: str) -> None:
    """Custom classes of routes call their base with them."""
    theirs = parameters(getattr(fastapi.routing, route))

    assert parameters(getattr(slipstream.routing, route)) == theirs
