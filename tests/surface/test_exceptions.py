"""Exceptions: they read as FastAPI's do, and fit both families."""

from typing import Any

import fastapi.exceptions
import pytest

from slipstream import exceptions

CONTEXTS: list[dict[str, Any] | None] = [
    None,
    {},
    {"path": "GET /items"},
    {"function": "read", "file": "shop.py", "line": 7},
    {"function": "read", "file": "shop.py", "line": 7, "path": "GET /items"},
]


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(
    "name", ["RequestValidationError", "WebSocketRequestValidationError", "ResponseValidationError"]
)
def test_a_validation_error_reads_as_fastapis(name: str, count: int, context: dict[str, Any] | None) -> None:
    """Logs and trackers group by this text."""
    errors = [{"type": "missing", "loc": ("body", i)} for i in range(count)]

    ours = getattr(exceptions, name)(errors, endpoint_ctx=context)
    theirs = getattr(fastapi.exceptions, name)(errors, endpoint_ctx=context)

    assert str(ours) == str(theirs)
    assert ours.errors() == errors
    assert vars(ours) == vars(theirs)


def test_framework_errors_belong_to_both_families() -> None:
    """`except RuntimeError` is what programs wrote; `except SlipstreamError` is what we offer."""
    assert issubclass(exceptions.FastAPIError, (RuntimeError))
    assert issubclass(exceptions.FastAPIError, exceptions.SlipstreamError)
    assert issubclass(exceptions.DependencyScopeError, exceptions.FastAPIError)
    assert issubclass(exceptions.PydanticV1NotSupportedError, exceptions.FastAPIError)


def test_http_exceptions_keep_what_they_are_given() -> None:
    """Positional, as everybody writes them."""
    error = exceptions.HTTPException(404, {"why": "gone"}, {"x-a": "b"})

    assert (error.status_code, error.detail, error.headers) == (404, {"why": "gone"}, {"x-a": "b"})
    assert exceptions.HTTPException(404).detail == "Not Found"
    assert exceptions.HTTPException(499).detail == ""
    assert exceptions.WebSocketException(1008, "no").reason == "no"
