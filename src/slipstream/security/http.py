"""The schemes of the `Authorization` header, Basic, Bearer and Digest: documented and read, not checked.

Compare secrets with `hmac.compare_digest`.
"""

from base64 import b64decode
from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from starlette.requests import HTTPConnection
from starlette.status import HTTP_401_UNAUTHORIZED as HTTP_401_UNAUTHORIZED

from slipstream.exceptions import HTTPException
from slipstream.openapi.models import HTTPBase as HTTPBaseModel, HTTPBearer as HTTPBearerModel
from slipstream.security.base import SecurityBase
from slipstream.security.utils import get_authorization_scheme_param

# ruff: noqa: N803  # OpenAPI's names, as in FastAPI


class HTTPBasicCredentials(BaseModel):
    """What `HTTPBasic` gives to the endpoint."""

    model_config = ConfigDict(defer_build=True)

    username: str
    """Name of the user; never contains a colon."""

    password: str
    """The password."""


class HTTPAuthorizationCredentials(BaseModel):
    """What `HTTPBearer` and `HTTPDigest` give to the endpoint: the header split at its first space."""

    model_config = ConfigDict(defer_build=True)

    scheme: str
    """`Bearer` in `Authorization: Bearer deadbeef`, spelt as the client did."""

    credentials: str
    """`deadbeef` in `Authorization: Bearer deadbeef`."""


class HTTPBase(SecurityBase):
    """Any scheme of the `Authorization` header; `scheme` is its name in IANA's registry."""

    model: HTTPBaseModel

    _error = HTTPException
    _expected: ClassVar[str | None] = None
    """Scheme, in lower case, that credentials must have; None takes those of any."""

    def __init__(
        self, *, scheme: str, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        self._set(HTTPBaseModel(scheme=scheme, description=description), scheme_name, auto_error)

    def make_authenticate_headers(self) -> dict[str, str]:
        """Make the challenge that goes with a 401."""
        return {"WWW-Authenticate": self.model.scheme.title()}

    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        """Read the credentials."""
        scheme, credentials = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme and credentials and self._expected in (None, scheme.lower()):
            return HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials)
        return self._required(None)


class HTTPBasic(HTTPBase):
    """Name and password in the `Authorization` header (RFC 7617); gives `HTTPBasicCredentials`.

    Args:
        realm: What the browser's dialogue names.
        auto_error: As in `SecurityBase`; a broken header is answered with 401 always.
    """

    def __init__(
        self,
        *,
        scheme_name: str | None = None,
        realm: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(scheme="basic", scheme_name=scheme_name, description=description, auto_error=auto_error)
        self.realm = realm

    def make_authenticate_headers(self) -> dict[str, str]:
        """Make the challenge that goes with a 401."""
        return {"WWW-Authenticate": f'Basic realm="{self.realm}"' if self.realm else "Basic"}

    async def __call__(self, request: HTTPConnection) -> HTTPBasicCredentials | None:  # type: ignore[override]  # another shape of credentials, as in FastAPI
        """Read name and password."""
        scheme, encoded = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "basic":
            return self._required(None)
        try:
            decoded = b64decode(encoded).decode("ascii")
        except ValueError as exc:
            raise self.make_not_authenticated_error() from exc
        username, colon, password = decoded.partition(":")
        if not colon:
            raise self.make_not_authenticated_error()
        return HTTPBasicCredentials(username=username, password=password)


class HTTPBearer(HTTPBase):
    """A bearer token in the `Authorization` header (RFC 6750); gives `HTTPAuthorizationCredentials`.

    `bearerFormat` says in the documentation what the token is: `JWT`, say.
    """

    _expected = "bearer"

    def __init__(
        self,
        *,
        bearerFormat: str | None = None,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self._set(HTTPBearerModel(bearerFormat=bearerFormat, description=description), scheme_name, auto_error)


class HTTPDigest(HTTPBase):
    """Digest credentials in the `Authorization` header (RFC 7616); gives `HTTPAuthorizationCredentials`, unchecked."""

    _expected = "digest"

    def __init__(
        self, *, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        super().__init__(scheme="digest", scheme_name=scheme_name, description=description, auto_error=auto_error)
