"""Items: created, listed, changed and deleted, by those who may."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx2
import pytest

from .support import Account, locations


def test_a_created_item_is_returned_and_found_at_its_location(ann: Account) -> None:
    """What was sent is what is stored; omitted fields have their defaults."""
    created = ann.client.post("/items", json={"name": "  Kite ", "price_cents": 1250})
    found = ann.client.get(created.headers["location"])

    assert created.status_code == 201
    assert created.headers["content-type"] == "application/json"
    assert created.headers["location"] == f"/items/{created.json()['id']}"
    item = created.json()
    assert datetime.fromisoformat(item.pop("created_at")).tzinfo
    assert item == {
        "id": item["id"],
        "owner_id": ann.id,
        "name": "Kite",
        "description": None,
        "price_cents": 1250,
        "is_public": False,
    }
    assert found.status_code == 200
    assert found.json() == created.json()


def test_creating_needs_a_user(client: httpx2.Client) -> None:
    """An item has an owner."""
    refused = client.post("/items", json={"name": "Kite", "price_cents": 1250})

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"name": "   "}, ["body", "name"]),
        ({"name": "x" * 101}, ["body", "name"]),
        ({"price_cents": "much"}, ["body", "price_cents"]),
        ({"price_cents": -1}, ["body", "price_cents"]),
        ({"price_cents": 10**30}, ["body", "price_cents"]),
        ({"is_public": "perhaps"}, ["body", "is_public"]),
        ({"colour": "red"}, ["body", "colour"]),
    ],
)
def test_a_wrong_field_is_named(ann: Account, change: dict[str, Any], loc: list[str]) -> None:
    """The type and the limits of each field are checked before anything is stored."""
    before = ann.client.get("/items?mine=true").json()

    refused = ann.client.post("/items", json={"name": "Kite", "price_cents": 1250, **change})

    assert locations(refused) == [loc]
    assert ann.client.get("/items?mine=true").json() == before


def test_every_wrong_field_is_named_at_once(ann: Account) -> None:
    """A user should not have to correct one field at a time."""
    refused = ann.client.post("/items", json={"price_cents": "much"})

    assert locations(refused) == [["body", "name"], ["body", "price_cents"]]


def test_a_body_that_is_not_json_is_refused(ann: Account) -> None:
    """The place of the mistake is its position in the text."""
    refused = ann.client.post("/items", content=b'{"name": ', headers={"Content-Type": "application/json"})

    assert locations(refused) == [["body", 9]]
    assert refused.json()["detail"][0]["type"] == "json_invalid"


def test_a_json_body_beyond_the_limit_is_refused(ann: Account) -> None:
    """The application takes 1 MiB, where a route does not say otherwise."""
    refused = ann.client.post("/items", json={"name": "x" * 1024 * 1024, "price_cents": 1})

    assert refused.status_code == 413


@pytest.fixture(scope="module")
def shop(new_account: Callable[[], Account]) -> Account:
    """Somebody with five items to find; the third is private."""
    owner = new_account()
    for name, price, is_public in [
        ("Red kite", 300, True),
        ("Blue kite", 100, True),
        ("Secret kite", 500, False),
        ("100% wool", 400, True),
        ("1000 pins", 200, True),
    ]:
        owner.create_item(name=name, price_cents=price, is_public=is_public)
    return owner


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["1000 pins", "100% wool", "Secret kite", "Blue kite", "Red kite"]),
        ({"sort": "oldest"}, ["Red kite", "Blue kite", "Secret kite", "100% wool", "1000 pins"]),
        ({"sort": "name"}, ["100% wool", "1000 pins", "Blue kite", "Red kite", "Secret kite"]),
        ({"sort": "price"}, ["Blue kite", "1000 pins", "Red kite", "100% wool", "Secret kite"]),
        ({"q": "KITE", "sort": "price"}, ["Blue kite", "Red kite", "Secret kite"]),
        ({"q": "100%"}, ["100% wool"]),
        ({"q": "_"}, []),
        ({"min_price": 200, "max_price": 400, "sort": "price"}, ["1000 pins", "Red kite", "100% wool"]),
        ({"q": "kite", "max_price": 100}, ["Blue kite"]),
    ],
)
def test_a_list_can_be_filtered_and_sorted(shop: Account, query: dict[str, Any], names: list[str]) -> None:
    """Filters add up, and signs that mean something to SQL are taken as written."""
    answer = shop.client.get("/items", params={"mine": True, **query})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert [item["name"] for item in answer.json()["items"]] == names
    assert answer.json()["total"] == len(names)


def test_pages_follow_on_each_other_without_gap_or_overlap(shop: Account) -> None:
    """Reading page by page gives each item once, and the total with every page."""
    pages = [
        shop.client.get("/items", params={"mine": True, "sort": "oldest", "limit": 2, "offset": offset}).json()
        for offset in (0, 2, 4, 6)
    ]

    assert [[item["name"] for item in page["items"]] for page in pages] == [
        ["Red kite", "Blue kite"],
        ["Secret kite", "100% wool"],
        ["1000 pins"],
        [],
    ]
    assert [(page["total"], page["limit"], page["offset"]) for page in pages] == [
        (5, 2, 0),
        (5, 2, 2),
        (5, 2, 4),
        (5, 2, 6),
    ]


@pytest.mark.parametrize(
    ("query", "loc"),
    [
        ({"limit": 0}, ["query", "limit"]),
        ({"limit": 101}, ["query", "limit"]),
        ({"offset": -1}, ["query", "offset"]),
        ({"offset": 10**30}, ["query", "offset"]),
        ({"sort": "colour"}, ["query", "sort"]),
        ({"mine": "perhaps"}, ["query", "mine"]),
        ({"page": 2}, ["query", "page"]),
        ({"min_price": 2, "max_price": 1}, ["query"]),
    ],
)
def test_a_query_out_of_bounds_is_refused(client: httpx2.Client, query: dict[str, Any], loc: list[str]) -> None:
    """Nobody can ask for all items at once, and a misspelt filter is not silently ignored."""
    refused = client.get("/items", params=query)

    assert locations(refused) == [loc]


def test_others_see_public_items_only(shop: Account, bob: Account, client: httpx2.Client) -> None:
    """A private item is in nobody else's list, with or without an account."""
    for visitor in (bob.client, client):
        answer = visitor.get("/items", params={"limit": 100})
        names = [item["name"] for item in answer.json()["items"] if item["owner_id"] == shop.id]
        assert names == ["1000 pins", "100% wool", "Blue kite", "Red kite"]

    assert bob.client.get("/items?mine=true").json()["items"] == []
    refused = client.get("/items?mine=true")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


def test_a_partial_update_changes_only_what_is_sent(ann: Account) -> None:
    """A field that is left out keeps its value; null is a value, where it is allowed."""
    item = ann.create_item(description="Flies well", is_public=True)

    cheaper = ann.client.patch(f"/items/{item['id']}", json={"price_cents": 0})
    bare = ann.client.patch(f"/items/{item['id']}", json={"description": None})
    same = ann.client.patch(f"/items/{item['id']}", json={})

    assert cheaper.status_code == 200
    assert cheaper.json() == {**item, "price_cents": 0}
    assert bare.json() == {**item, "price_cents": 0, "description": None}
    assert same.json() == bare.json() == ann.client.get(f"/items/{item['id']}").json()


@pytest.mark.parametrize(
    ("patch", "loc"),
    [
        ({"name": None}, ["body", "name"]),
        ({"price_cents": None}, ["body", "price_cents"]),
        ({"name": ""}, ["body", "name"]),
        ({"owner_id": 1}, ["body", "owner_id"]),
        ({"id": 1}, ["body", "id"]),
    ],
)
def test_an_update_keeps_the_rules(ann: Account, patch: dict[str, Any], loc: list[str]) -> None:
    """Limits hold as at creation, and what identifies an item or its owner cannot be sent."""
    item = ann.create_item()

    refused = ann.client.patch(f"/items/{item['id']}", json=patch)

    assert locations(refused) == [loc]
    assert ann.client.get(f"/items/{item['id']}").json() == item


def test_a_deleted_item_is_gone(ann: Account) -> None:
    """Deleting answers with nothing; doing it again finds nothing."""
    item = ann.create_item()

    deleted = ann.client.delete(f"/items/{item['id']}")
    again = ann.client.delete(f"/items/{item['id']}")

    assert deleted.status_code == 204
    assert deleted.content == b""
    assert again.status_code == 404
    assert again.json() == {"detail": "No such item"}


Act = Callable[[httpx2.Client, str], httpx2.Response]
ACTS: list[Act] = [
    lambda client, path: client.patch(path, json={"name": "Mine"}),
    lambda client, path: client.delete(path),
    lambda client, path: client.get(path),
]


@pytest.mark.parametrize("act", ACTS[:2], ids=["patch", "delete"])
def test_others_may_see_a_public_item_but_not_change_it(
    ann: Account, bob: Account, client: httpx2.Client, act: Act
) -> None:
    """Who is known but not the owner gets 403; who is not known is asked to log in."""
    item = ann.create_item(is_public=True)
    path = f"/items/{item['id']}"

    seen = bob.client.get(path)
    forbidden = act(bob.client, path)
    unknown = act(client, path)

    assert seen.status_code == 200
    assert forbidden.status_code == 403
    assert forbidden.json() == {"detail": "Only its owner may change an item"}
    assert unknown.status_code == 401
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert ann.client.get(path).json() == item


@pytest.mark.parametrize("act", ACTS, ids=["patch", "delete", "get"])
def test_for_others_a_private_item_does_not_exist(ann: Account, bob: Account, act: Act) -> None:
    """The answer is the one for a number that was never used, so that nothing can be learned by counting."""
    item = ann.create_item()

    private = act(bob.client, f"/items/{item['id']}")
    never = act(bob.client, "/items/987654321")

    assert private.status_code == never.status_code == 404
    assert private.json() == never.json() == {"detail": "No such item"}
    assert ann.client.get(f"/items/{item['id']}").json() == item


@pytest.mark.parametrize("item_id", ["0", "-1", "kite", "1.5", "9223372036854775808", "9" * 40])
def test_what_cannot_be_an_id_is_refused(client: httpx2.Client, item_id: str) -> None:
    """Also numbers that are larger than the database's integers."""
    refused = client.get(f"/items/{item_id}")

    assert locations(refused) == [["path", "item_id"]]


def test_a_method_that_is_not_there_is_answered_with_those_that_are(client: httpx2.Client) -> None:
    """405 names what would work."""
    refused = client.put("/items", json={})

    assert refused.status_code == 405
    assert refused.json() == {"detail": "Method Not Allowed"}
    assert refused.headers["allow"]
