"""The engine's errors as FastAPI's exceptions, which programs and tests catch."""

from collections.abc import Iterator
from contextlib import contextmanager

from slipstream._engine.errors import InvalidFieldType, OldPydanticModel, ScopeMismatch
from slipstream.exceptions import DependencyScopeError, FastAPIError, PydanticV1NotSupportedError


@contextmanager
def public_errors() -> Iterator[None]:
    """Raise the public exception for an error of the engine.

    Raises:
        FastAPIError: Pydantic cannot validate a parameter.
        PydanticV1NotSupportedError: A model is one of Pydantic's first version.
        DependencyScopeError: A dependency outlives another that it needs.
    """
    try:
        yield
    except OldPydanticModel as exc:
        raise PydanticV1NotSupportedError(str(exc)) from exc
    except InvalidFieldType as exc:
        raise FastAPIError(str(exc)) from exc
    except ScopeMismatch as exc:
        raise DependencyScopeError(str(exc)) from exc
