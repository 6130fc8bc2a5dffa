"""What is not known of a core schema gets the answer that is safe, and never an exception."""

from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel, ConfigDict, RootModel, TypeAdapter
from pydantic_core import core_schema

from slipstream._engine.schema import (
    UnknownSchema,
    answers,
    has_aliases,
    has_computed_fields,
    is_json_safe,
    may_run_user_code,
    odd_fields,
    trusted_model,
    walk,
)

from .drawn import Plain, Tree, annotations

SAFE: dict[Callable[[Any], Any], Any] = {
    is_json_safe: False,
    has_aliases: True,
    may_run_user_code: True,
    odd_fields: None,
    has_computed_fields: False,
    trusted_model: None,
}
"""Each question, and the answer that is right for any schema, if slow."""


class Unfinished(BaseModel):
    a: "NotThere"  # type: ignore[name-defined]  # noqa: F821 - nor will it ever be there


class Later(BaseModel):
    model_config = ConfigDict(defer_build=True)
    a: Optional["Later"] = None


NO_SCHEMAS = ("metadata", "serialization", "computed_fields", "function", "json_schema_input_schema")
"""Keys under which lies what no question looks into."""


def containers(schema: Any) -> Iterator[Any]:
    """Yield all schemas inside a schema, by a search that knows nothing of kinds and keys."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        inner = [part for key, part in schema.items() if key not in NO_SCHEMAS]
    else:
        inner = list(schema) if isinstance(schema, (list, tuple)) else []
    for part in inner:
        yield from containers(part)


def replaced(schema: Any, old: Any, new: Any) -> Any:
    """Copy a schema with something else in one place."""
    if schema is old:
        return new
    if isinstance(schema, dict):
        return {key: replaced(part, old, new) for key, part in schema.items()}
    if isinstance(schema, (list, tuple)):
        return type(schema)(replaced(part, old, new) for part in schema)
    return schema


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a kind that is not known": lambda schema: {**schema, "type": "brand-new"},
    "a key that is not known": lambda schema: {**schema, "brand_new": True},
    "an option that is not known": lambda schema: {**schema, "config": {"brand_new": True}},
    "a key of another kind": lambda schema: {**schema, "arguments_schema": []},
    "no kind": lambda schema: {key: part for key, part in schema.items() if key != "type"},
    "a model that is not complete": lambda schema: Unfinished.__pydantic_core_schema__,
    "nothing": lambda schema: None,
    "a number": lambda schema: 1,
    "a list": lambda schema: [schema],
}


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(annotations, st.randoms(use_true_random=False), st.sampled_from(sorted(CHANGES)))
def test_a_schema_with_something_unknown_anywhere_gets_the_safe_answers(
    annotation: Any, random: Any, change: str
) -> None:
    """Pydantic may add a kind or a key at any release; what it means nobody here can know."""
    schema = TypeAdapter(annotation).core_schema
    old = random.choice(list(containers(schema)))
    changed = replaced(schema, old, CHANGES[change](old))

    assert not is_json_safe(changed)
    assert has_aliases(changed)
    assert may_run_user_code(changed)
    assert odd_fields(changed) in (None, odd_fields(schema))  # models inside are judged when they are met
    assert trusted_model(changed) in (None, trusted_model(schema))
    assert has_computed_fields(changed) in (False, has_computed_fields(schema))


@pytest.mark.parametrize("question", SAFE, ids=lambda question: question.__name__)
@pytest.mark.parametrize(
    "schema",
    [None, 1, "str", [], {}, {"type": None}, {"type": "call"}, {"type": "definition-ref", "schema_ref": "nowhere"},
     {"type": "definitions", "schema": {"type": "int"}, "definitions": [{"type": "int"}]},
     {"type": "list", "items_schema": 1},
     Unfinished.__pydantic_core_schema__],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_schema_gets_the_safe_answers(question: Callable[[Any], Any], schema: Any) -> None:
    """A request must not fail because of a question that was asked to make it faster."""
    assert question(schema) == SAFE[question]


def test_a_model_that_is_built_when_it_is_first_needed_is_known() -> None:
    """Large programs defer the building; their handlers are compiled later."""
    assert not has_aliases(TypeAdapter(Later).core_schema)
    assert odd_fields(Later.__pydantic_core_schema__) == ["a"]


def test_a_model_that_holds_itself_is_visited_once() -> None:
    """Such a walk would have no end."""
    kinds = [node.kind for node in walk(TypeAdapter(Tree).core_schema)]

    assert kinds.count("model") == 1
    assert kinds.count("model-field") == 2


def test_a_schema_that_holds_itself_without_a_name_is_visited_once() -> None:
    """Schemas are plain dicts: whoever makes them by hand can tie such a knot."""
    schema: dict[str, Any] = {"type": "list"}
    schema["items_schema"] = schema

    assert [node.kind for node in walk(schema)] == ["list"]


def test_a_deep_schema_is_walked_to_its_end() -> None:
    """A thousand levels are more than Python's stack may hold."""
    schema: Any = core_schema.int_schema()
    for _ in range(5000):
        schema = core_schema.nullable_schema(schema)

    assert is_json_safe(schema)


def test_what_lies_in_a_union_and_outside_of_it_is_visited_for_both() -> None:
    """A date is read alike in both modes, but not beside an int."""
    shared = core_schema.date_schema()
    schema = core_schema.tuple_schema([shared, core_schema.union_schema([core_schema.int_schema(), shared])])

    assert sorted(node.in_union for node in walk(schema) if node.kind == "date") == [False, True]


def test_what_is_inside_a_closed_kind_is_not_visited() -> None:
    """Fields that refer to other models are judged with these."""
    schema = TypeAdapter(list[RootModel[list[Plain]]]).core_schema

    assert [node.kind for node in walk(schema, closed=frozenset({"model"}))] == ["list", "model"]


def test_the_labels_of_choices_are_no_schemas() -> None:
    """They stand beside the choice in a pair."""
    schema = core_schema.union_schema([(core_schema.int_schema(), "number"), core_schema.str_schema()])

    assert {node.kind for node in walk(schema)} == {"union", "int", "str"}


def test_an_unknown_schema_says_what_is_unknown() -> None:
    """Whoever adds a question and calls the walk alone sees what it stumbled over."""
    with pytest.raises(UnknownSchema, match="kind 'brand-new'"):
        list(walk({"type": "brand-new"}))
    with pytest.raises(UnknownSchema, match="keys of int: \\['brand_new'\\]"):
        list(walk({"type": "int", "brand_new": 1}))


def test_a_schema_is_walked_once_for_a_question() -> None:
    """A handler is compiled for several doors, and asks the same of its fields at many steps."""
    asked: list[Any] = []
    question = answers(if_unknown=None)(lambda schema: asked.append(schema))
    schema = core_schema.int_schema()

    assert [question(schema), question(schema), question(dict(schema))] == [None, None, None]
    assert [id(item) == id(schema) for item in asked] == [True, False]


def test_an_incomplete_model_is_asked_about_again() -> None:
    """It may be complete by then."""
    answer = answers(if_unknown="unknown")(lambda schema: next(walk(schema)).kind)

    class Waiting(BaseModel):
        a: "Named"

    schema = Waiting.__pydantic_core_schema__
    before = answer(schema)
    Named = int
    Waiting.model_rebuild()

    assert (before, answer(Waiting.__pydantic_core_schema__)) == ("unknown", "model")


def test_schemas_that_come_and_go_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may make models as long as it runs."""
    monkeypatch.setattr("slipstream._engine.schema._MOST_ANSWERS", 3)
    question = answers(if_unknown=None)(lambda schema: schema["type"])

    for _ in range(10):
        question({"type": "int"})

    (answered,) = [cell.cell_contents for cell in question.__closure__ if isinstance(cell.cell_contents, dict)]  # type: ignore[attr-defined]
    assert len(answered) <= 3
