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
        scheme_name, auto_error: The attributes of `SecurityBase`.
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
        model = OpenIdConnectModel(openIdConnectUrl=openIdConnectUrl, description=description)
        self._set(model, scheme_name, auto_error)

    def make_not_authenticated_error(self) -> HTTPException:
        """Make the error for a missing header: 401 with the challenge `Bearer`."""
        return HTTPException(HTTP_401_UNAUTHORIZED, "Not authenticated", {"WWW-Authenticate": "Bearer"})

    async def __call__(self, request: HTTPConnection) -> str | None:
        """Read the header."""
        return self._required(request.headers.get("Authorization"))
