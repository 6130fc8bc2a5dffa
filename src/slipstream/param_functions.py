"""The functions that a parameter's default or metadata is written with: `Query()`, `Body()`, `Depends()`, …

They return the classes of `params`, typed as Any so that they may stand as a default of any type.
What each option means is said once, in `_options/params.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Unpack

from pydantic_core import PydanticUndefined

from slipstream import params
from slipstream._options.params import ValueOptions
from slipstream._options.unpack import unpacks
from slipstream.datastructures import _Unset

# ruff: noqa: N802  # functions named like the classes that they make, as in FastAPI


@unpacks(ValueOptions, _Unset)
def Path(default: Any = ..., **options: Unpack[ValueOptions]) -> Any:
    """Take a part of the path; it never has a default."""
    return params.Path(default, **options)


@unpacks(ValueOptions, _Unset)
def Query(default: Any = PydanticUndefined, **options: Unpack[ValueOptions]) -> Any:
    """Take a value of the query string, or a model made of all of them."""
    return params.Query(default, **options)


@unpacks(ValueOptions, _Unset)
def Header(
    default: Any = PydanticUndefined, *, convert_underscores: bool = True, **options: Unpack[ValueOptions]
) -> Any:
    """Take a request header, or a model made of all of them.

    `convert_underscores` reads the parameter `user_agent` from the header `user-agent`.
    """
    return params.Header(default, convert_underscores=convert_underscores, **options)


@unpacks(ValueOptions, _Unset)
def Cookie(default: Any = PydanticUndefined, **options: Unpack[ValueOptions]) -> Any:
    """Take a cookie, or a model made of all of them."""
    return params.Cookie(default, **options)


@unpacks(ValueOptions, _Unset)
def Body(
    default: Any = PydanticUndefined,
    *,
    embed: bool | None = None,
    media_type: str = "application/json",
    **options: Unpack[ValueOptions],
) -> Any:
    """Take the body, or one key of it.

    `embed` expects an object with the parameter's name as key even where it is the only body
    parameter; None embeds where there are several. `media_type` goes into the documentation.
    """
    return params.Body(default, embed=embed, media_type=media_type, **options)


@unpacks(ValueOptions, _Unset)
def Form(
    default: Any = PydanticUndefined,
    *,
    media_type: str = "application/x-www-form-urlencoded",
    **options: Unpack[ValueOptions],
) -> Any:
    """Take a field of a form, or a model made of all of them; `media_type` goes into the documentation."""
    return params.Form(default, media_type=media_type, **options)


@unpacks(ValueOptions, _Unset)
def File(
    default: Any = PydanticUndefined, *, media_type: str = "multipart/form-data", **options: Unpack[ValueOptions]
) -> Any:
    """Take a file of a form, as `bytes` or as an `UploadFile`; `media_type` goes into the documentation."""
    return params.File(default, media_type=media_type, **options)


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
        use_cache: Call it once per request however many ask for it.
        scope: When the code after `yield` runs: before the response ("function") or after it
            ("request"). None: after it.
        max_concurrency: How many calls may run at once, per event loop; at least 1; waiting takes no
            thread. None: any number. Reuse the returned object to share the bound.

    Raises:
        ValueError: `max_concurrency` is not a positive integer.
    """
    return params.Depends(dependency, use_cache=use_cache, scope=scope, max_concurrency=max_concurrency)


def Security(
    dependency: Callable[..., Any] | None = None, *, scopes: Sequence[str] | None = None, use_cache: bool = True
) -> Any:
    """Have a callable called first that guards the path operation.

    Args:
        dependency: The callable; None takes the parameter's own type.
        scopes: OAuth2 scopes that it asks for; shown in the documentation and given to `SecurityScopes`.
        use_cache: Call it once per request however many ask for it with the same scopes.
    """
    return params.Security(dependency, scopes=scopes, use_cache=use_cache)
