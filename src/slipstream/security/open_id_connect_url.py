"""OpenID Connect, as far as the documentation goes."""

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.status import HTTP_401_UNAUTHORIZED

from slipstream.openapi.models import OpenIdConnect as OpenIdConnectModel
from slipstream.security.base import SecurityBase

# ruff: noqa: N803  # OpenAPI's names, as in FastAPI


class OpenIdConnect(SecurityBase):
    """Documents OpenID Connect and gives the whole `Authorization` header to the endpoint, unchecked.

    Args:
        openIdConnectUrl: The provider's discovery document.
        scheme_name: Name in the documentation; the class's name if None.
        description: Description in the documentation.
        auto_error: Answer 401 where the header is missing; False gives None to the endpoint instead.
    """

    model: OpenIdConnectModel

    def __init__(
        self,
        *,
        openIdConnectUrl: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self.model = OpenIdConnectModel(openIdConnectUrl=openIdConnectUrl, description=description)
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    def make_not_authenticated_error(self) -> HTTPException:
        """Make the error for a missing header: 401 with the challenge `Bearer`."""
        return HTTPException(HTTP_401_UNAUTHORIZED, "Not authenticated", {"WWW-Authenticate": "Bearer"})

    async def __call__(self, request: HTTPConnection) -> str | None:
        """Read the header."""
        return self._required(request.headers.get("Authorization"))
