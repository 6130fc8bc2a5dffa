"""Sign-up, log-in and tokens."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from .support import Account, locations

NEW = {"username": "carla", "email": "Carla@Example.com", "password": "correct horse"}


def claims(account: Account, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"sub": str(account.id), "iat": now, "exp": now + timedelta(minutes=5), **changes}


def ask_with(client: httpx2.Client, token: str) -> httpx2.Response:
    return client.get("/users/me", headers={"Authorization": f"Bearer {token}"})


def test_who_signs_up_can_log_in_and_see_who_they_are(client: httpx2.Client) -> None:
    """The whole way of a new user, with nothing prepared."""
    created = client.post("/users", json=NEW)
    login = client.post("/users/token", data={"username": "carla", "password": NEW["password"]})
    me = ask_with(client, login.json()["access_token"])

    assert created.status_code == 201
    assert created.headers["content-type"] == "application/json"
    assert set(created.json()) == {"id", "username", "email", "created_at"}
    assert created.json()["email"] == "carla@example.com"
    assert datetime.fromisoformat(created.json()["created_at"]).utcoffset() == timedelta(0)
    assert login.status_code == 200
    assert login.headers["cache-control"] == "no-store"
    assert set(login.json()) == {"access_token", "token_type", "expires_in"}
    assert login.json()["token_type"] == "bearer"
    assert login.json()["expires_in"] == 30 * 60
    assert me.status_code == 200
    assert me.json() == created.json()


def test_a_password_is_kept_as_an_argon2_hash_only(ann: Account, data_dir: Path) -> None:
    """Who steals the database must not have the passwords."""
    kept = b"".join(file.read_bytes() for file in data_dir.glob("tour.sqlite3*"))

    assert b"$argon2id$" in kept
    assert ann.password.encode() not in kept


@pytest.mark.parametrize("taken", ["username", "email"])
def test_a_name_or_address_can_be_taken_once(client: httpx2.Client, ann: Account, taken: str) -> None:
    """Two accounts must not share what identifies them; letter case of an address does not tell them apart."""
    new = {"username": "dora", "email": "dora@example.com", "password": "correct horse"}
    new[taken] = ann.username if taken == "username" else f"{ann.username.upper()}@EXAMPLE.com"

    refused = client.post("/users", json=new)

    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/json"
    assert refused.json() == {"detail": "This user name or email address is already taken"}


def test_of_several_sign_ups_for_one_name_at_the_same_time_one_wins(client: httpx2.Client) -> None:
    """Only the database can decide a race."""

    def sign_up(number: int) -> int:
        new = {"username": "racer", "email": f"racer{number}@example.com", "password": "correct horse"}
        return client.post("/users", json=new).status_code

    with ThreadPoolExecutor(5) as pool:
        answers = sorted(pool.map(sign_up, range(5)))

    assert answers == [201, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"username": "No Spaces"}, ["body", "username"]),
        ({"username": "ab"}, ["body", "username"]),
        ({"email": "nobody"}, ["body", "email"]),
        ({"password": "short"}, ["body", "password"]),
        ({"password": "x" * 129}, ["body", "password"]),
        ({"is_admin": True}, ["body", "is_admin"]),
    ],
)
def test_a_sign_up_that_breaks_a_rule_is_told_which(
    client: httpx2.Client, change: dict[str, Any], loc: list[str]
) -> None:
    """One answer names the field, so that a form can show it in place."""
    refused = client.post("/users", json={**NEW, "username": "edgar", "email": "edgar@example.com", **change})

    assert locations(refused) == [loc]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"username": NaN}',
        b'{"username": 1e400}',
        b'{"username": "\\ud800"}',
        b'"\xff"',
        b"[" * 99_999,
    ],
    ids=lambda body: repr(body)[:24],
)
@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
def test_a_body_made_to_break_the_server_is_refused_like_any_other(
    client: httpx2.Client, body: bytes, media_type: str
) -> None:
    """Numbers that JSON has not, text that cannot be encoded, nesting without end: our mistake is none of them."""
    refused = client.post("/users", content=body, headers={"Content-Type": media_type})

    assert refused.status_code in (400, 422)
    assert refused.headers["content-type"] == "application/json"
    assert refused.json()["detail"]
    assert len(refused.content) < 5000


@pytest.mark.parametrize("known", [True, False])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(
    client: httpx2.Client, ann: Account, known: bool
) -> None:
    """The answer must not tell who has an account."""
    refused = client.post(
        "/users/token", data={"username": ann.username if known else "nobody-here", "password": "wrong horse"}
    )

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json() == {"detail": "Wrong user name or password"}


def test_a_log_in_without_a_password_is_told_so(client: httpx2.Client) -> None:
    """The form has required fields, as the OAuth2 specification says."""
    refused = client.post("/users/token", data={"username": "carla"})

    assert locations(refused) == [["body", "password"]]


def test_without_a_token_one_is_asked_for(client: httpx2.Client) -> None:
    """The header tells a client how to identify itself."""
    refused = client.get("/users/me")

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json() == {"detail": "Not authenticated"}


FORGERIES: dict[str, Callable[[Account, str], str]] = {
    "nonsense": lambda account, secret: "not.a.token",
    "expired": lambda account, secret: jwt.encode(
        claims(account, exp=datetime.now(UTC) - timedelta(seconds=1)), secret, algorithm="HS256"
    ),
    "signed with another key": lambda account, secret: jwt.encode(claims(account), "x" * 43, algorithm="HS256"),
    "not signed": lambda account, secret: jwt.encode(claims(account), None, algorithm="none"),
    "signed by another algorithm": lambda account, secret: jwt.encode(claims(account), secret * 2, algorithm="HS512"),
    "without end": lambda account, secret: jwt.encode(
        {"sub": str(account.id), "iat": datetime.now(UTC)}, secret, algorithm="HS256"
    ),
    "for nobody": lambda account, secret: jwt.encode(claims(account, sub="999999999"), secret, algorithm="HS256"),
    "for no number": lambda account, secret: jwt.encode(claims(account, sub="admin"), secret, algorithm="HS256"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_only_our_own_valid_tokens_open_doors(client: httpx2.Client, ann: Account, secret: str, forgery: str) -> None:
    """Each way to make up a token ends in the same 401, also where a token is optional."""
    token = FORGERIES[forgery](ann, secret)

    for path in ("/users/me", "/items"):
        refused = client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.json() == {"detail": "The token is invalid or has expired"}


def test_a_token_made_with_our_key_is_accepted(client: httpx2.Client, ann: Account, secret: str) -> None:
    """The forgeries above fail for what is wrong with them, not because no made-up token works."""
    answer = ask_with(client, jwt.encode(claims(ann), secret, algorithm="HS256"))

    assert answer.status_code == 200
    assert answer.json()["username"] == ann.username
