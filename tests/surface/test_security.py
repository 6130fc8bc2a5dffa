"""The security schemes against FastAPI's, each asked with the same headers."""

import inspect
from base64 import b64encode
from typing import Any

import anyio
import fastapi.security
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from slipstream import security

FLOWS = {"implicit": {"authorizationUrl": "/a", "scopes": {"read": "Read"}}}
SCHEMES: list[tuple[str, dict[str, Any]]] = [
    ("APIKeyQuery", {"name": "key"}),
    ("APIKeyHeader", {"name": "x-key", "description": "D"}),
    ("APIKeyCookie", {"name": "key", "scheme_name": "Mine"}),
    ("HTTPBasic", {}),
    ("HTTPBasic", {"realm": "here"}),
    ("HTTPBearer", {"bearerFormat": "JWT"}),
    ("HTTPDigest", {}),
    ("OAuth2", {}),
    ("OAuth2", {"flows": FLOWS}),
    ("OAuth2PasswordBearer", {"tokenUrl": "token", "refreshUrl": "refresh", "scopes": {"read": "Read"}}),
    ("OAuth2AuthorizationCodeBearer", {"authorizationUrl": "/a", "tokenUrl": "/t"}),
    ("OpenIdConnect", {"openIdConnectUrl": "/.well-known"}),
]


def _basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


CONNECTIONS: list[tuple[str, dict[str, str]]] = [
    ("", {}),
    ("key=", {"x-key": "", "cookie": "key="}),
    ("key=secret", {"x-key": "secret", "cookie": "key=secret"}),
    *(
        ("", {"authorization": value})
        for value in (
            "", "Bearer", "Bearer ", "bearer abc", "Bearer  abc ", "Digest abc", "Other abc", "Basic", "Basic !!!",
            _basic("a:b"), _basic("a"), _basic("a:b:c"), _basic("é:b"), "basic " + _basic("a:b")[6:],
        )
    ),
]  # fmt: skip


def _answer(scheme: Any, kind: str, query: str, headers: dict[str, str]) -> Any:
    scope = {
        "type": kind,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    try:
        found = anyio.run(scheme, HTTPConnection(scope))
    except HTTPException as exc:
        return exc.status_code, exc.detail, exc.headers
    return found.model_dump() if hasattr(found, "model_dump") else found


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("auto_error", [True, False])
@pytest.mark.parametrize(("name", "options"), SCHEMES)
def test_a_scheme_answers_as_fastapis(name: str, options: dict[str, Any], auto_error: bool, kind: str) -> None:
    """What is let in, what is refused and with which challenge; on WebSockets too."""
    ours = getattr(security, name)(**options, auto_error=auto_error)
    theirs = getattr(fastapi.security, name)(**options, auto_error=auto_error)

    for query, headers in CONNECTIONS:
        assert _answer(ours, kind, query, headers) == _answer(theirs, kind, query, headers), headers


@pytest.mark.parametrize(("name", "options"), SCHEMES)
def test_a_scheme_is_documented_as_fastapis(name: str, options: dict[str, Any]) -> None:
    """OpenAPI shows the model under the scheme's name."""
    ours, theirs = getattr(security, name)(**options), getattr(fastapi.security, name)(**options)

    assert ours.scheme_name == theirs.scheme_name
    dumped, expected = (each.model.model_dump(mode="json", by_alias=True, exclude_none=True) for each in (ours, theirs))
    assert dumped == expected


PUBLIC = [name for name in dir(fastapi.security) if inspect.isclass(getattr(fastapi.security, name))]


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.endswith("Credentials")])
def test_a_scheme_is_made_as_fastapis(name: str) -> None:
    """Some take positional arguments, in an order of their own."""
    ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (security, fastapi.security))

    assert [(each.name, each.kind, str(each.default)) for each in ours.values()] == [
        (each.name, each.kind, str(each.default)) for each in theirs.values()
    ]


@pytest.mark.parametrize("name", ["OAuth2PasswordRequestForm", "OAuth2PasswordRequestFormStrict"])
def test_the_password_form_is_read_from_the_same_fields(name: str) -> None:
    """Same constraints, same documentation."""
    ours, theirs = (
        {key: str(each.annotation) for key, each in inspect.signature(getattr(module, name)).parameters.items()}
        for module in (security, fastapi.security)
    )

    assert {key: text.split(", Doc")[0] for key, text in theirs.items()}.keys() == ours.keys()
    form = getattr(security, name)(grant_type="password", username="u", password="p", scope="a  b")
    assert (form.grant_type, form.username, form.password, form.scopes) == ("password", "u", "p", ["a", "b"])
    assert (form.client_id, form.client_secret) == (None, None)


def test_any_other_scheme_is_read_whatever_it_is_called() -> None:
    """`HTTPBase` is for schemes that have no class of their own."""
    ours, theirs = security.http.HTTPBase(scheme="hoba"), fastapi.security.http.HTTPBase(scheme="hoba")

    for query, headers in CONNECTIONS:
        assert _answer(ours, "http", query, headers) == _answer(theirs, "http", query, headers)


def test_scopes_are_a_list_and_a_text() -> None:
    """The text goes into `WWW-Authenticate`; the engine knows the class by its attribute."""
    assert security.SecurityScopes().scopes == []
    assert security.SecurityScopes(["a", "b"]).scope_str == "a b"
    assert security.SecurityScopes.slot_context == "scopes"


def test_a_subclass_chooses_its_own_error() -> None:
    """Programs that answered 403 before FastAPI 0.122 keep to it this way."""

    class Forbidding(security.HTTPBearer):
        def make_not_authenticated_error(self) -> Any:
            return HTTPException(403, "Not authenticated")

    assert _answer(Forbidding(), "http", "", {})[0] == 403
