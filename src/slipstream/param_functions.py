"""The functions that a parameter's default or metadata is written with: `Query()`, `Body()`, `Depends()`, …

They return the classes of `params`, typed as Any so that they may stand as a default of any type.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec

from slipstream import params

# ruff: noqa: N802  # functions named like the classes that they make, as in FastAPI

P = ParamSpec("P")


def _function(cls: Callable[P, Any]) -> Callable[P, Any]:
    """Make the function of a class: what the class takes and says, without `annotation`, which Pydantic sets."""

    def make(*args: P.args, **options: P.kwargs) -> Any:
        return cls(*args, **options)

    make.__name__ = make.__qualname__ = cls.__name__
    make.__doc__ = cls.__doc__
    shown = inspect.signature(cls)
    kept = [each for each in shown.parameters.values() if each.name != "annotation"]
    make.__signature__ = shown.replace(parameters=kept, return_annotation=Any)  # type: ignore[attr-defined]  # functions take any attribute
    make.marker_class = cls  # type: ignore[attr-defined]  # see above
    return make


Path = _function(params.Path)
Query = _function(params.Query)
Header = _function(params.Header)
Cookie = _function(params.Cookie)
Body = _function(params.Body)
Form = _function(params.Form)
File = _function(params.File)


def Depends(
    dependency: Callable[..., Any] | None = None,
    *,
    use_cache: bool = True,
    scope: Literal["function", "request"] | None = None,
    max_concurrency: int | None = None,
) -> Any:
    """Have a callable called first; the parameter gets what it returns or yields.

    Args:
        dependency: The callable; None takes the parameter's own type.
        use_cache: Call it once per request, however many parameters name it.
        scope: When the code after `yield` runs: before the response ("function") or after it ("request").
            None: after it.
        max_concurrency: How many calls may run at once, per event loop; at least 1. Waiting takes no thread.
            None: any number. Reuse the returned object to share the bound.

    Raises:
        ValueError: `max_concurrency` is not a positive integer.
    """
    return params.Depends(dependency, use_cache=use_cache, scope=scope, max_concurrency=max_concurrency)


def Security(
    dependency: Callable[..., Any] | None = None, *, scopes: Sequence[str] | None = None, use_cache: bool = True
) -> Any:
    """Have a callable called first that guards the path operation, once per request with the same scopes.

    Args:
        scopes: OAuth2 scopes that it asks for; shown in the documentation and given to `SecurityScopes`.
    """
    return params.Security(dependency, scopes=scopes, use_cache=use_cache)


Depends.marker_class = params.Depends  # type: ignore[attr-defined]  # functions take any attribute
Security.marker_class = params.Security  # type: ignore[attr-defined]  # see above
