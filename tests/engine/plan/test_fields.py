"""A validated value: its names, its default, its validator and its writer."""

from typing import Annotated, Any, Literal, Union

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from slipstream._engine.plan.fields import ModelField, model_fields


class Item(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    name: str
    tags: list[str] = Field(default_factory=list, alias="labels")


def field(annotation: Any, **options: Any) -> ModelField:
    info = FieldInfo.from_annotation(annotation)
    for name, value in options.items():
        setattr(info, name, value)
    return ModelField(info, "value")


def test_a_value_is_checked_and_its_errors_are_placed() -> None:
    """The location begins where the value stood."""
    number = field(int)

    assert number.validate("3") == (3, [])
    value, (error,) = number.validate("x", loc=("query", "value"))
    assert (value, error["loc"], error["type"]) == (None, ("query", "value"), "int_parsing")
    assert "url" not in error


def test_constraints_hold() -> None:
    """They come as metadata of the field."""
    number = field(Annotated[int, Field(gt=0)])

    assert number.validate(1) == (1, [])
    assert number.validate(0)[1][0]["type"] == "greater_than"


def test_fields_of_one_plain_annotation_share_a_validator() -> None:
    """A thousand routes ask for `int`; building a validator costs more than reading the route."""
    assert field(int).checker is field(int).checker
    assert field(int).checker is not field(Annotated[int, Field(gt=0)]).checker


@pytest.mark.parametrize("pair", [(Union[int, str], Union[str, int]), (Literal[1], Literal[True])], ids=repr)
def test_annotations_that_are_equal_but_not_alike_share_nothing(pair: tuple[Any, Any]) -> None:
    """Python calls these equal, and a union tries its choices in order."""
    first, second = (field(each) for each in pair)

    assert first.checker is not second.checker


def test_an_annotation_without_hash_has_a_validator_of_its_own() -> None:
    """Metadata may be lists."""
    info = FieldInfo(annotation=Annotated[int, ["unhashable"]])  # type: ignore[arg-type]

    assert ModelField(info, "value").validate("3") == (3, [])


def test_names_on_the_wire() -> None:
    """The alias, or the Python name; one for reading and one for writing where they differ."""
    plain = field(int)
    named = field(int, alias="a", validation_alias="v", serialization_alias="s")

    assert (plain.alias, plain.validation_alias, plain.serialization_alias) == ("value", None, None)
    assert (named.alias, named.validation_alias, named.serialization_alias) == ("a", "v", "s")


def test_a_default_is_made_anew() -> None:
    """A list that one request fills must not be there for the next."""
    made = field(list[int], default_factory=list)

    assert made.get_default() == []
    assert made.get_default() is not made.get_default()
    assert (field(int).default, field(int).required) == (PydanticUndefined, True)
    assert (field(int, default=3).default, field(int, default=3).required) == (3, False)


def test_a_value_is_written_as_its_type_says() -> None:
    """To objects or straight to bytes; options are Pydantic's."""
    item = ModelField(FieldInfo.from_annotation(Item), "item", "serialization")
    value = Item(name="a")

    assert item.serialize(value) == {"name": "a", "tags": []}
    assert item.serialize_json(value, exclude_unset=True) == b'{"name":"a"}'
    assert item.serialize_json(value, by_alias=True) == b'{"name":"a","labels":[]}'


def test_a_model_comes_apart_into_its_fields() -> None:
    """As parameter models are read; each keeps the model's configuration where it may."""
    name, tags = model_fields(Item)

    assert [(each.name, each.alias) for each in (name, tags)] == [("name", "name"), ("tags", "labels")]
    assert name.validate(" a ") == ("a", [])
    assert model_fields(Item) is model_fields(Item)


class Outer(BaseModel):
    inner: Item
    counts: dict[str, int]
    names: list[str]


def test_types_with_a_configuration_of_their_own_keep_it() -> None:
    """Pydantic refuses to give a model another one."""
    inner, counts, names = model_fields(Outer)

    assert inner.config is None
    assert names.config is not None
    assert inner.validate({"name": " a "})[0] == Item(name="a")
    assert counts.validate({"a": "1"}) == ({"a": 1}, [])


def test_a_field_shows_what_it_is() -> None:
    """In debuggers and failing tests."""
    assert (
        repr(field(int)) == "ModelField(field_info=FieldInfo(annotation=int, required=True), name='value', "
        "mode='validation', config=None)"
    )
