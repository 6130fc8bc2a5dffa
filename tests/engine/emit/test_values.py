"""The text that reads one parameter: what it reads, what it says when it cannot."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import Field

from slipstream import Cookie, Header, Query
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]


class Order(StrEnum):
    NEWEST = "newest"


def details(response: Any) -> list[tuple[str, list[Any]]]:
    assert response.status_code == 422
    return [(error["type"], error["loc"]) for error in response.json()["detail"]]


def test_a_plain_string_is_any_string(serve: Serve) -> None:
    """Empty ones too; only its absence is an error."""

    async def endpoint(q: str) -> str:
        return q

    client = serve(endpoint)
    assert [client.post(f"/?{query}").json() for query in ("q=a", "q=", "q=a&q=b", "q=%C3%A4+b")] == [
        "a",
        "",
        "b",
        "ä b",
    ]
    assert details(client.post("/")) == [("missing", ["query", "q"])]


def test_every_error_is_told_in_the_order_of_the_places(serve: Serve) -> None:
    """A client that fixes one must not meet the next in another answer."""

    async def endpoint(
        item_id: int,
        cookie: Annotated[int, Cookie()],
        x_header: Annotated[int, Header()],
        query: Annotated[int, Field(gt=3)],
    ) -> None: ...

    client = serve(endpoint, "/{item_id}")
    client.cookies.set("cookie", "x")

    assert details(client.post("/x?query=3", headers={"x-header": "x"})) == [
        ("int_parsing", ["path", "item_id"]),
        ("greater_than", ["query", "query"]),
        ("int_parsing", ["header", "x-header"]),
        ("int_parsing", ["cookie", "cookie"]),
    ]


def test_defaults_stand_in_for_what_is_missing(serve: Serve) -> None:
    """Of every kind that is written in place, shared or made anew."""

    async def endpoint(
        text: str = 'it\'s "a" default\n',
        number: int = -1,
        real: float = 1.5,
        order: Order = Order.NEWEST,
        flag: bool = False,
        none: int | None = None,
        x_text: Annotated[str, Header()] = "header",
        tags: Annotated[list[str], Query()] = ["a"],  # noqa: B006
    ) -> list[Any]:
        tags.append("b")
        return [text, number, real, order, flag, none, x_text, tags]

    client = serve(endpoint)

    answers = [client.post("/").json() for _ in range(2)]

    assert answers[0] == answers[1] == ['it\'s "a" default\n', -1, 1.5, "newest", False, None, "header", ["a", "b"]]


def test_a_default_that_says_so_is_validated(serve: Serve) -> None:
    """And is an error of the program's that every request meets."""

    async def endpoint(limit: Annotated[int, Query(validate_default=True)] = "x") -> int:  # type: ignore[assignment]
        return limit

    assert details(serve(endpoint).post("/")) == [("int_parsing", ["query", "limit"])]


@pytest.mark.parametrize("key", ["item-query", "a b", "ä", 'quo"te', "it's", "back\\slash", "{brace}", "#"])
def test_an_alias_may_be_any_text(serve: Serve, key: str) -> None:
    """It goes into generated source as a literal."""

    async def endpoint(value: str = Query(alias=key)) -> str:
        return value

    client = serve(endpoint)
    assert client.post("/", params={key: "found"}).json() == "found"
    assert details(client.post("/")) == [("missing", ["query", key])]


@pytest.mark.parametrize(
    "name", ["scope", "errors", "query", "query_lists", "wrong", "given", "handle", "length", "fail"]
)
def test_a_parameter_may_have_any_name(serve: Serve, name: str) -> None:
    """Also one that the generated text uses for itself."""
    namespace: dict[str, Any] = {"Annotated": Annotated, "Query": Query}
    exec(f"async def {name}({name}: Annotated[list[int], Query()], other: int = 0): return {name}, other", namespace)

    assert serve(namespace[name]).post(f"/?{name}=1&{name}=2&other=3").json() == [[1, 2], 3]
