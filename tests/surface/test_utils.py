"""The functions that packages import from `utils`, against FastAPI's."""

from types import SimpleNamespace
from typing import Any

import fastapi.utils
import pytest
from fastapi.datastructures import Default as TheirDefault
from starlette.responses import Response

from slipstream import utils
from slipstream.datastructures import Default
from slipstream.exceptions import FastAPIDeprecationWarning, FastAPIError, PydanticV1NotSupportedError


@pytest.mark.parametrize("status", [None, "default", "2XX", "204", "200", 99, 100, 199, 200, 204, 205, 304], ids=repr)
def test_bodies_are_allowed_where_fastapi_allows_them(status: Any) -> None:
    """OpenAPI's ranges included."""
    assert utils.is_body_allowed_for_status_code(status) == fastapi.utils.is_body_allowed_for_status_code(status)


@pytest.mark.parametrize("path", ["/", "/a/{b}/{c:path}", "{x}{y}"])
def test_path_names_are_found(path: str) -> None:
    """With their converters, as FastAPI leaves them."""
    assert utils.get_path_param_names(path) == fastapi.utils.get_path_param_names(path)


def test_operation_ids_are_fastapis() -> None:
    """Client generators name functions after them."""
    route: Any = SimpleNamespace(name="read_item", path_format="/a-b/{c}", methods={"GET"})

    assert utils.generate_unique_id(route) == fastapi.utils.generate_unique_id(route) == "read_item_a_b__c__get"
    with pytest.warns(FastAPIDeprecationWarning):
        assert utils.generate_operation_id_for_path(name="n", path="/a", method="GET") == "n_a_get"


def test_dicts_are_merged_as_fastapi_merges_them() -> None:
    """Dicts into dicts, lists to the end of lists, all else replaced."""
    ours: dict[str, Any] = {"a": {"b": 1, "c": [1]}, "d": [1], "e": 1, "f": {}}
    theirs: dict[str, Any] = {"a": {"b": 1, "c": [1]}, "d": [1], "e": 1, "f": {}}
    update = {"a": {"b": 2, "c": [2], "x": {}}, "d": [2], "e": [3], "f": 1, "g": 2}

    utils.deep_dict_update(ours, update)
    fastapi.utils.deep_dict_update(theirs, update)

    assert ours == theirs


def test_the_innermost_choice_wins_and_else_the_first_placeholder() -> None:
    """Route, router, app."""
    assert utils.get_value_or_default(Default(1), Default(2), 3, 4) == 3
    assert utils.get_value_or_default(None, 3) is None
    assert utils.get_value_or_default(Default(1), Default(2)) == Default(1)
    assert not Default(None)
    assert Default([1]) != TheirDefault([1])
    assert hash(Default([1])) == hash(Default([1]))
    assert repr(Default(1)) == "Default(1)"


def test_a_field_validates_its_type() -> None:
    """Packages make fields of their own."""
    field = utils.create_model_field("x", list[int], alias="y")

    assert field.validate(["1"], loc=("body",)) == ([1], [])
    assert field.alias == "y"
    assert field.required


@pytest.mark.filterwarnings("ignore")
def test_a_type_that_pydantic_cannot_handle_is_refused() -> None:
    """With a hint at what was probably meant."""
    from pydantic import v1

    class Old(v1.BaseModel):
        pass

    with pytest.raises(FastAPIError, match=r"valid Pydantic field type.*\n.*\n.*parameter response_model=None"):
        utils.create_model_field("x", Response | dict[str, int])
    for annotation in (Old, list[Old], Old | None, dict[str, list[Old]]):
        with pytest.raises(PydanticV1NotSupportedError):
            utils.create_model_field("x", annotation)
