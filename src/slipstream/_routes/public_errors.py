"""What the engine refuses, told in FastAPI's exceptions: programs and tests catch those."""

from collections.abc import Iterator
from contextlib import contextmanager

from slipstream._engine.errors import InvalidFieldType, OldPydanticModel, ScopeMismatch
from slipstream.exceptions import DependencyScopeError, FastAPIError, PydanticV1NotSupportedError


@contextmanager
def public_errors() -> Iterator[None]:
    """Turn the engine's errors into public ones.

    Raises:
        FastAPIError: A parameter that Pydantic cannot validate.
        PydanticV1NotSupportedError: A model of Pydantic's first version.
        DependencyScopeError: A dependency that outlives one that it needs.
    """
    try:
        yield
    except OldPydanticModel as exc:
        raise PydanticV1NotSupportedError(str(exc)) from exc
    except InvalidFieldType as exc:
        raise FastAPIError(str(exc)) from exc
    except ScopeMismatch as exc:
        raise DependencyScopeError(str(exc)) from exc
