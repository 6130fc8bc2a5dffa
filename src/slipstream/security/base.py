"""The base class of security schemes, by which the engine and the OpenAPI document recognize them."""

from typing import TypeVar

from starlette.exceptions import HTTPException

from slipstream.openapi.models import SecurityBase as SecurityBaseModel

T = TypeVar("T")


class SecurityBase:
    """A dependency that reads credentials and documents that a path operation needs them."""

    model: SecurityBaseModel
    """The scheme as OpenAPI describes it."""

    scheme_name: str
    """Its name in the document; by default the name of its class."""

    auto_error: bool
    """Whether missing credentials are answered with 401; if not, the endpoint gets None."""

    def _set(self, model: SecurityBaseModel, scheme_name: str | None, auto_error: bool) -> None:
        self.model = model
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    def make_not_authenticated_error(self) -> HTTPException:
        """Make the error for missing credentials."""
        raise NotImplementedError

    def _required(self, credentials: T | None) -> T | None:
        """Return credentials; None for missing or empty ones, or an error with `auto_error`."""
        if not credentials and self.auto_error:
            raise self.make_not_authenticated_error()
        return credentials or None
