"""The final form of OpenAPI objects: order of keys, numbers, nulls."""

import json
from datetime import date
from enum import Enum

from slipstream.openapi._build import shapes
from slipstream.openapi.models import ExternalDocumentation


class Kind(Enum):
    one = 1


def test_known_keys_take_the_specifications_order_and_others_follow_as_they_came() -> None:
    """Documents are compared as text; the order must not depend on how they were gathered."""
    shaped = shapes.schema({"x-b": 1, "title": "T", "x-a": 2, "type": "object", "$ref": "#"})

    assert list(shaped) == ["$ref", "type", "title", "x-b", "x-a"]


def test_bounds_are_floats_wherever_a_schema_stands() -> None:
    """FastAPI writes `1.0` in definitions."""
    shaped = shapes.schema({"items": {"minimum": 1, "maxLength": 2}, "anyOf": [{"maximum": 3}, True]})

    assert json.dumps(shaped) == '{"anyOf": [{"maximum": 3.0}, true], "items": {"minimum": 1.0, "maxLength": 2}}'


def test_nulls_leave_objects_but_not_arrays() -> None:
    """`None` in an object means that nothing was said."""
    assert shapes.free({"a": None, "b": {"c": None}, "d": [None, (1, None)]}) == {"b": {}, "d": [None, [1, None]]}


def test_python_values_become_json() -> None:
    """Examples in `responses=` may be dates, sets, enumerations."""
    value = {Kind.one: date(2024, 1, 2), 3: {Kind.one}, "model": (Kind.one,)}

    assert shapes.free(value) == {"1": "2024-01-02", "3": [1], "model": [1]}


def test_a_copy_shares_nothing_with_what_it_was_made_from() -> None:
    """The caller may change the document; routes keep what the user gave them."""
    given = {"get": {"responses": {"200": {"description": "x", "content": {"a/b": {"schema": {"enum": [1]}}}}}}}
    shaped = shapes.path_item(given)
    shaped["get"]["responses"]["200"]["content"]["a/b"]["schema"]["enum"].append(2)

    assert given["get"]["responses"]["200"]["content"]["a/b"]["schema"]["enum"] == [1]


def test_values_of_an_unexpected_form_are_copied_as_they_are() -> None:
    """`openapi_extra` may hold anything; nothing is lost or refused."""
    odd = {"get": {"parameters": "none", "responses": ["x"], "requestBody": 3, "tags": "a"}, "post": []}

    assert shapes.path_item(odd) == odd


def test_a_response_without_description_keeps_its_order() -> None:
    """It is no response by the specification, so its table does not apply."""
    assert list(shapes.response({"content": {}, "x": 1, "headers": {}})) == ["content", "x", "headers"]
    assert list(shapes.response({"content": {}, "description": "x"})) == ["description", "content"]


def test_urls_take_their_normal_form_and_what_is_none_stays() -> None:
    """Only `externalDocs` and external examples hold URLs that OpenAPI checks."""
    external_docs = shapes.shape_of(ExternalDocumentation)

    assert external_docs({"url": "http://a.example"}) == {"url": "http://a.example/"}
    assert external_docs({"url": "nowhere"}) == {"url": "nowhere"}
