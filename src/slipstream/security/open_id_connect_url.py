"""OpenID Connect, as far as the documentation goes."""

from starlette.exceptions import HTTPException as HTTPException
from starlette.requests import HTTPConnection as HTTPConnection
from starlette.status import HTTP_401_UNAUTHORIZED as HTTP_401_UNAUTHORIZED

from slipstream.openapi.models import OpenIdConnect as OpenIdConnectModel
from slipstream.security.base import WholeHeader

# ruff: noqa: N803  # OpenAPI's names, as in FastAPI


class OpenIdConnect(WholeHeader):
    """Documents OpenID Connect, by the URL of the provider's discovery document.

    Gives the whole `Authorization` header to the endpoint, unchecked.
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
