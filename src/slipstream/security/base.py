"""What the engine and the OpenAPI document know a security scheme by."""

from typing import TypeVar

from starlette.exceptions import HTTPException

from slipstream.openapi.models import SecurityBase as SecurityBaseModel

T = TypeVar("T")


class SecurityBase:
    """A dependency that also documents how a path operation is guarded."""

    model: SecurityBaseModel
    """The scheme as OpenAPI describes it."""

    scheme_name: str
    """Its name in the document."""

    auto_error: bool
    """Whether missing credentials are an error; if not, the endpoint gets None."""

    def make_not_authenticated_error(self) -> HTTPException:
        """Make the error for missing credentials."""
        raise NotImplementedError

    def _required(self, credentials: T | None) -> T | None:
        """Return credentials; None for missing or empty ones, or an error with `auto_error`."""
        if not credentials and self.auto_error:
            raise self.make_not_authenticated_error()
        return credentials or None
