"""Reads query string, headers and cookies for parameters that are one plain string, and words errors of all."""

from collections.abc import Callable, Iterator, Mapping
from json import JSONDecoder
from typing import Any, Final
from urllib.parse import unquote

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from slipstream._engine.types import ErrorDetail, Location, Scope


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final[Any] = _Unset()
"""A value that the request does not have; None would be a value."""


def located(exc: ValidationError, loc: Location) -> list[ErrorDetail]:
    """List the errors of an exception, each location prefixed with `loc`; of very many the first, without inputs."""
    if exc.error_count() > MOST_ERRORS:
        return [{**error, "loc": (*loc, *error["loc"]), "input": None} for error in _first_errors(exc)]
    return [{**error, "loc": (*loc, *error["loc"])} for error in exc.errors(include_url=False)]


MOST_ERRORS: Final = 10_000
"""Errors that are kept of one value; as dicts, each takes 100 times the bytes that a client sends to cause it."""


def _first_errors(exc: ValidationError) -> Iterator[ErrorDetail]:
    text, decode, place = exc.json(include_url=False, include_input=False), JSONDecoder().raw_decode, 0
    for _ in range(MOST_ERRORS):
        error, place = decode(text, place + 1)  # behind the bracket, or a comma
        yield error


def model_maker(
    model: Callable[..., Any], sources: Mapping[str, str], refuse: Callable[[list[ErrorDetail]], Exception]
) -> Callable[..., Any]:
    """Make the function that calls a model which is a dependency; `refuse` makes the exception for invalid values.

    `sources` says where the value of each parameter comes from, such as "query".
    """

    def make(**values: Any) -> Any:
        try:
            return model(**values)
        except ValidationError as exc:
            errors = located(exc, ())
        for error in errors:
            error["loc"] = (sources.get(next(iter(error["loc"]), ""), "query"), *error["loc"])
        raise refuse(errors)

    return make


def missing(loc: Location) -> ErrorDetail:
    return {"type": "missing", "loc": loc, "msg": "Field required", "input": None}


def read_query(raw: bytes) -> dict[str, str]:
    """Read a query string; of a repeated key, the last value counts."""
    if not raw:
        return {}
    text = raw.decode("latin-1")
    if "+" in text:
        text = text.replace("+", " ")
    is_escaped = "%" in text
    values = {}
    for part in text.split("&"):
        if part:
            key, _, value = part.partition("=")
            if is_escaped:
                key, value = unquote(key), unquote(value)
            values[key] = value
    return values


def read_headers(scope: Scope) -> dict[bytes, bytes]:
    """Read all headers, names in lower case as ASGI has them; of a repeated name, the first counts."""
    return dict(reversed(scope["headers"]))


def find_header(scope: Scope, name: bytes) -> bytes | None:
    """Read one header; of a repeated name, the first counts."""
    for key, value in scope["headers"]:
        if key == name:
            return value  # type: ignore[no-any-return]  # ASGI says bytes
    return None


def read_cookies(scope: Scope) -> dict[str, str]:
    """Read all cookies, from every Cookie header; the last of a name counts."""
    cookies: dict[str, str] = {}
    for header in Headers(scope=scope).getlist("cookie"):
        cookies.update(cookie_parser(header))
    return cookies
