"""API keys in the query string, a header or a cookie: documented and read, not checked."""

from typing import ClassVar

from starlette.exceptions import HTTPException as HTTPException
from starlette.requests import HTTPConnection
from starlette.status import HTTP_401_UNAUTHORIZED as HTTP_401_UNAUTHORIZED

from slipstream.openapi.models import APIKey, APIKeyIn
from slipstream.security.base import SecurityBase


class APIKeyBase(SecurityBase):
    """An API key in the place that `location` says; the other arguments are those of the classes below."""

    model: APIKey
    _challenge = "APIKey"  # no standard has a challenge for API keys

    def __init__(
        self, location: APIKeyIn, name: str, description: str | None, scheme_name: str | None, auto_error: bool
    ) -> None:
        model = APIKey.model_validate({"in": location, "name": name, "description": description})
        self._set(model, scheme_name, auto_error)

    def check_api_key(self, api_key: str | None) -> str | None:
        """Return the key; None for a missing or empty one, or an error with `auto_error`."""
        return self._required(api_key)


class _PlacedKey(APIKeyBase):
    """An API key in the place of the class; `name` is that of the parameter, header or cookie."""

    location: ClassVar[APIKeyIn]
    _shelf: ClassVar[str]
    """The attribute of a connection that holds what came in that place."""

    def __init__(
        self, *, name: str, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        super().__init__(self.location, name, description, scheme_name, auto_error)

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self.check_api_key(getattr(request, self._shelf).get(self.model.name))


class APIKeyQuery(_PlacedKey):
    """An API key in the query string; logs and browser histories will show it."""

    location = APIKeyIn.query
    _shelf = "query_params"


class APIKeyHeader(_PlacedKey):
    """An API key in a header."""

    location = APIKeyIn.header
    _shelf = "headers"


class APIKeyCookie(_PlacedKey):
    """An API key in a cookie."""

    location = APIKeyIn.cookie
    _shelf = "cookies"
