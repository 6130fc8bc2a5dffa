"""Validation errors in FastAPI's form: `type`, `loc`, `msg`, `input`, `ctx`."""

from pydantic import ValidationError

from slipstream._engine.types import ErrorDetail, Location


def located(exc: ValidationError, loc: Location) -> list[ErrorDetail]:
    """List the errors of an exception, each location prefixed with `loc`."""
    return [{**error, "loc": (*loc, *error["loc"])} for error in exc.errors(include_url=False)]


def missing(loc: Location) -> ErrorDetail:
    """Make the error for a required value that the request does not have."""
    return {"type": "missing", "loc": loc, "msg": "Field required", "input": None}
