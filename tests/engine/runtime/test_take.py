"""Parameters that are more than one plain string: lists, aliases, models."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.datastructures import FormData, Headers, QueryParams, UploadFile

from slipstream._engine.runtime.take import Item, ItemModel, extras, is_empty_file, model_taker, pick, value_taker
from slipstream._engine.runtime.values import UNSET, missing


def item(
    name: str = "a",
    *names: tuple[str, str],
    many: bool = False,
    default: Any = None,
    check_default: bool = False,
) -> Item:
    def check(value: Any, loc: Any) -> tuple[Any, list[Any]]:
        return (value, []) if value != "bad" else (None, [{"loc": loc}])

    return Item(name, names or ((name, name),), many, check, default, check_default)


def test_a_value_is_read_and_its_errors_say_where_it_stood() -> None:
    """The location names the wire's name, which is the one that the client knows."""
    take = value_taker(item("a", ("b", "b")), "query")

    assert take(QueryParams("b=1&b=2")) == ("2", [])
    assert take(QueryParams("b=bad")) == (None, [{"loc": ("query", "b")}])
    assert take(QueryParams("a=1")) == (None, [missing(("query", "b"))])


def test_repeated_keys_are_a_list() -> None:
    """In the query, in headers, in a form; a mapping gives what it has."""
    many = item(many=True)

    assert value_taker(many, "query")(QueryParams("a=1&a=2")) == (["1", "2"], [])
    assert value_taker(many, "header")(Headers(raw=[(b"a", b"1"), (b"a", b"2")])) == (["1", "2"], [])
    assert pick(many, {"a": [1, 2]}, "a") == [1, 2]
    assert pick(many, QueryParams(""), "a") is UNSET


def test_the_first_of_several_names_counts() -> None:
    """`AliasChoices` is an order of preference."""
    take = value_taker(item("a", ("x", "x"), ("y", "y")), "query")

    assert take(QueryParams("y=1&x=2"))[0] == "2"
    assert take(QueryParams("y=1"))[0] == "1"


def test_a_default_stands_in_and_is_checked_only_where_it_says_so() -> None:
    """`validate_default` is off unless somebody asks for it."""
    assert value_taker(item(default=lambda: "bad"), "query")(QueryParams("")) == ("bad", [])
    assert value_taker(item(default=lambda: "bad", check_default=True), "query")(QueryParams("")) == (
        None,
        [{"loc": ("query", "a")}],
    )


def test_an_empty_field_of_a_form_was_not_sent() -> None:
    """Browsers send every field of a form, filled in or not; a query with an empty value means it."""
    empty = UploadFile(file=None, filename="", size=0)  # type: ignore[arg-type]
    full = UploadFile(file=None, filename="a", size=1)  # type: ignore[arg-type]

    assert pick(item(), FormData([("a", "")]), "a") is UNSET
    assert pick(item(), QueryParams("a="), "a") == ""
    assert pick(item(), FormData([("a", empty)]), "a") is UNSET
    assert pick(item(many=True), FormData([("a", empty), ("a", full)]), "a") == [full]
    assert pick(item(many=True), FormData([("a", empty)]), "a") is UNSET
    assert (is_empty_file(empty), is_empty_file(full), is_empty_file("")) == (True, False, False)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (QueryParams("a=1&b=2&b=3&c=4"), {"b": ["2", "3"], "c": "4"}),
        (Headers(raw=[(b"a", b"1"), (b"b", b"2")]), {"b": "2"}),
        ({"a": "1", "b": "2"}, {"b": "2"}),
    ],
    ids=["query", "headers", "cookies"],
)
def test_what_nobody_asked_for_is_handed_to_the_model(values: Any, found: dict[str, Any]) -> None:
    """Its own configuration allows, ignores or forbids it."""
    assert dict(extras(values, {"a"})) == found


def model(*fields: Item, whole: Item | None = None, is_optional: bool = False, **facts: bool) -> Item:
    models = (ItemModel(fields, **{"keeps_extras": False, **facts}),)
    return replace(whole or item("whole"), models=models, is_optional=is_optional)


def test_a_model_gathers_its_fields() -> None:
    """Under the names that Pydantic knows them by; what is missing is left to the model."""
    take = model_taker(model(item("a", ("b", "b")), item("c", many=True), item("d")), "query")

    assert take(QueryParams("b=1&c=2&c=3&e=4")) == ({"b": "1", "c": ["2", "3"], "e": "4"}, [])


def test_an_optional_model_is_unset_when_none_of_its_fields_came() -> None:
    """Keys of others do not make it; unless it takes any key."""
    optional = item("whole", default=lambda: None)
    closed = model_taker(model(item("a"), whole=optional, is_optional=True), "query")
    open_ = model_taker(model(item("a"), whole=optional, is_optional=True, keeps_extras=True), "query")

    assert closed(QueryParams("b=1")) == (None, [])
    assert closed(QueryParams("a=1&b=1")) == ({"a": "1", "b": "1"}, [])
    assert open_(QueryParams("b=1")) == ({"b": "1"}, [])
    assert open_(QueryParams("")) == (None, [])


def test_errors_of_a_header_model_name_headers() -> None:
    """`x_token` is nothing that a client has ever sent."""

    def check(value: Any, loc: Any) -> tuple[Any, list[Any]]:
        return None, [{"loc": (*loc, "x_token")}, {"loc": (*loc, "other")}, {"loc": loc}]

    whole = Item("whole", (("whole", "whole"),), False, check, None)
    headers = Headers(raw=[(b"x-token", b"1"), (b"x_token", b"2")])
    take = model_taker(model(item("x_token", ("x_token", "x-token")), whole=whole), "header")
    plain = model_taker(model(item("x_token", ("x_token", "x-token")), whole=whole, loc_by_alias=False), "header")

    assert [error["loc"] for error in take(headers)[1]] == [("header", "x-token"), ("header", "other"), ("header",)]
    assert plain(headers)[1][0]["loc"] == ("header", "x_token")
