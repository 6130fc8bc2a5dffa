"""Validation errors as FastAPI tells them: `type`, `loc`, `msg`, `input`, `ctx`."""

from pydantic import ValidationError

from slipstream._engine.types import ErrorDetail, Location


def located(exc: ValidationError, loc: Location) -> list[ErrorDetail]:
    """List the errors of an exception, each location prefixed with `loc`."""
    return [{**error, "loc": (*loc, *error["loc"])} for error in exc.errors(include_url=False)]


def missing(loc: Location) -> ErrorDetail:
    """Tell that a required value is not there."""
    return {"type": "missing", "loc": loc, "msg": "Field required", "input": None}
