"""The base class of security schemes, by which the engine and the OpenAPI document recognize them."""

from typing import ClassVar, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.status import HTTP_401_UNAUTHORIZED

from slipstream.openapi.models import SecurityBase as SecurityBaseModel

T = TypeVar("T")


class SecurityBase:
    """A dependency that reads credentials and documents that a path operation needs them.

    The arguments `scheme_name` and `auto_error` of the schemes are its attributes.
    """

    model: SecurityBaseModel
    """The scheme as OpenAPI describes it."""

    scheme_name: str
    """Its name in the document; by default the name of its class."""

    auto_error: bool
    """Whether missing credentials are answered with 401; if not, the endpoint gets None."""

    _challenge: ClassVar[str]
    _error: ClassVar[type[HTTPException]] = HTTPException

    def _set(self, model: SecurityBaseModel, scheme_name: str | None, auto_error: bool) -> None:
        self.model = model
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    def make_authenticate_headers(self) -> dict[str, str]:
        """Make the challenge that goes with a 401, which has to have one (RFC 9110, 15.5.2)."""
        return {"WWW-Authenticate": self._challenge}

    def make_not_authenticated_error(self) -> HTTPException:
        """Make the error for missing credentials: 401 with the scheme's challenge. Override it to answer otherwise."""
        return self._error(HTTP_401_UNAUTHORIZED, "Not authenticated", self.make_authenticate_headers())

    def _required(self, credentials: T | None) -> T | None:
        """Return credentials; None for missing or empty ones, or an error with `auto_error`."""
        if not credentials and self.auto_error:
            raise self.make_not_authenticated_error()
        return credentials or None


class WholeHeader(SecurityBase):
    """A scheme that gives the whole `Authorization` header to the endpoint, unchecked."""

    _challenge = "Bearer"

    async def __call__(self, request: HTTPConnection) -> str | None:
        """Read the header."""
        return self._required(request.headers.get("Authorization"))
