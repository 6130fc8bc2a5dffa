"""Security schemes: dependencies that read credentials from a request or a WebSocket and document how."""

from slipstream.security.api_key import (
    APIKeyCookie as APIKeyCookie,
    APIKeyHeader as APIKeyHeader,
    APIKeyQuery as APIKeyQuery,
)
from slipstream.security.http import (
    HTTPAuthorizationCredentials as HTTPAuthorizationCredentials,
    HTTPBasic as HTTPBasic,
    HTTPBasicCredentials as HTTPBasicCredentials,
    HTTPBearer as HTTPBearer,
    HTTPDigest as HTTPDigest,
)
from slipstream.security.oauth2 import (
    OAuth2 as OAuth2,
    OAuth2AuthorizationCodeBearer as OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer as OAuth2PasswordBearer,
    OAuth2PasswordRequestForm as OAuth2PasswordRequestForm,
    OAuth2PasswordRequestFormStrict as OAuth2PasswordRequestFormStrict,
    SecurityScopes as SecurityScopes,
)
from slipstream.security.open_id_connect_url import OpenIdConnect as OpenIdConnect
