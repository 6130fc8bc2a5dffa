"""OAuth2: the flows as documentation, the form of the password flow, the bearer token, the scopes asked for."""

from typing import Annotated, Any, cast

from starlette.requests import HTTPConnection
from starlette.status import HTTP_401_UNAUTHORIZED as HTTP_401_UNAUTHORIZED

from slipstream.exceptions import HTTPException
from slipstream.openapi.models import OAuth2 as OAuth2Model, OAuthFlows as OAuthFlowsModel
from slipstream.param_functions import Form
from slipstream.params import SecurityScopes as SecurityScopes
from slipstream.security.base import WholeHeader
from slipstream.security.utils import get_authorization_scheme_param

# ruff: noqa: N803  # OpenAPI's names, as in FastAPI


class OAuth2PasswordRequestForm:
    """The form of the password flow (RFC 6749, 4.3.2); use it as a dependency: `Depends()`.

    Args:
        grant_type: "password", which this class lets a client leave out.
        scope: Scopes separated by spaces; `scopes` has them as a list.
        client_id: The client, unless it identifies itself with HTTP Basic.
        client_secret: Its secret, likewise.
    """

    def __init__(
        self,
        *,
        grant_type: Annotated[str | None, Form(pattern="^password$")] = None,
        username: Annotated[str, Form()],
        password: Annotated[str, Form(json_schema_extra={"format": "password"})],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
    ) -> None:
        self.grant_type = grant_type
        self.username = username
        self.password = password
        self.scopes = scope.split()
        self.client_id = client_id
        self.client_secret = client_secret


class OAuth2PasswordRequestFormStrict(OAuth2PasswordRequestForm):
    """The same form, in which `grant_type` is required, as the RFC says."""

    def __init__(
        self,
        grant_type: Annotated[str, Form(pattern="^password$")],
        username: Annotated[str, Form()],
        password: Annotated[str, Form()],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form()] = None,
    ) -> None:
        client = {"client_id": client_id, "client_secret": client_secret}
        super().__init__(grant_type=grant_type, username=username, password=password, scope=scope, **client)


class OAuth2(WholeHeader):
    """Any OAuth2 flows, as a model or as OpenAPI writes them; gives the whole `Authorization` header."""

    model: OAuth2Model
    _error = HTTPException

    def __init__(
        self,
        *,
        # `model_construct` checks nothing and so builds no validator at import.
        flows: OAuthFlowsModel | dict[str, dict[str, Any]] = OAuthFlowsModel.model_construct(),
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self._set(OAuth2Model(flows=cast(OAuthFlowsModel, flows), description=description), scheme_name, auto_error)


class _Bearer(OAuth2):
    """Gives the token, without the scheme's name in front of it."""

    async def __call__(self, request: HTTPConnection) -> str | None:
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() == "bearer":
            return token
        return self._required(None)


class OAuth2PasswordBearer(_Bearer):
    """A bearer token that clients get for name and password; gives the token.

    Args:
        tokenUrl: The path operation that takes `OAuth2PasswordRequestForm`, relative to the document.
        scopes: Scope → what it allows, for the documentation.
        refreshUrl: The path operation that renews a token.
    """

    def __init__(
        self,
        tokenUrl: str,
        scheme_name: str | None = None,
        scopes: dict[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
        refreshUrl: str | None = None,
    ) -> None:
        flows = {"password": {"tokenUrl": tokenUrl, "refreshUrl": refreshUrl, "scopes": scopes or {}}}
        super().__init__(flows=flows, scheme_name=scheme_name, description=description, auto_error=auto_error)


class OAuth2AuthorizationCodeBearer(_Bearer):
    """A bearer token that clients get for an authorization code; gives the token.

    Args:
        authorizationUrl: Where the user agrees.
        tokenUrl: Where the code is exchanged for a token.
        refreshUrl: Where a token is renewed.
        scopes: Scope → what it allows, for the documentation.
    """

    def __init__(
        self,
        authorizationUrl: str,
        tokenUrl: str,
        refreshUrl: str | None = None,
        scheme_name: str | None = None,
        scopes: dict[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        urls = {"authorizationUrl": authorizationUrl, "tokenUrl": tokenUrl, "refreshUrl": refreshUrl}
        flows = {"authorizationCode": {**urls, "scopes": scopes or {}}}
        super().__init__(flows=flows, scheme_name=scheme_name, description=description, auto_error=auto_error)
