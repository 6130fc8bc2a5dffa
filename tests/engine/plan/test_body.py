"""The field that stands for a body. What it says in the document is compared with FastAPI's in tests/openapi."""

from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slipstream._engine.plan.body import build_body_field, should_embed
from slipstream._engine.plan.fields import ModelField
from slipstream.params import Body, File, Form


class Login(BaseModel):
    user: str


class Coupon(BaseModel):
    code: str


def field(info: FieldInfo, annotation: Any, name: str = "it") -> ModelField:
    info.annotation = annotation
    return ModelField(info, name)


@pytest.mark.parametrize(
    ("fields", "embed"),
    [
        ([], False),
        ([field(Body(), Login)], False),
        ([field(Body(), int)], False),
        ([field(Body(embed=True), Login)], True),
        ([field(Body(), Login), field(Body(), Login)], False),
        ([field(Body(), Login), field(Body(), int, "other")], True),
        ([field(Form(), Login)], False),
        ([field(Form(), Login | None)], False),
        ([field(Form(), Login | Coupon)], False),
        ([field(Form(), Login | str)], True),
        ([field(Form(), str)], True),
        ([field(File(), bytes)], True),
        ([field(Form(), Login), field(Form(), Coupon)], True),
        ([field(Form(), Login), field(Form(), Login)], False),
    ],
)
def test_when_the_body_has_a_key_per_parameter(fields: list[ModelField], embed: bool) -> None:
    """One parameter is the whole body, unless it asks not to be or a form cannot be read that way."""
    assert should_embed(fields) is embed


def test_a_single_parameter_documents_itself() -> None:
    """Its own name, description and examples are the body's."""
    only = field(Body(), Login)

    assert build_body_field([only], name="op", embed=False) is only
    assert build_body_field([], name="op", embed=False) is None


@pytest.mark.parametrize(
    ("infos", "kind", "media_type"),
    [
        ([Body(), Body()], Body, "application/json"),
        ([Body(media_type="a/b"), Body(media_type="a/b")], Body, "a/b"),
        ([Body(media_type="a/b"), Body()], Body, "application/json"),
        ([Form(), Form()], Form, "application/x-www-form-urlencoded"),
        ([Form(media_type="multipart/form-data"), Form()], Form, "multipart/form-data"),
        ([Form(), File()], File, "multipart/form-data"),
        ([Body(), Form()], Form, "application/x-www-form-urlencoded"),
    ],
)
def test_several_parameters_become_the_most_demanding_kind(infos: list[Any], kind: Any, media_type: str) -> None:
    """A file makes the whole body multipart, a form value makes it a form."""
    fields = [field(info, str, f"p{number}") for number, info in enumerate(infos)]
    combined = build_body_field(fields, name="op", embed=True)

    assert combined is not None
    assert type(combined.field_info) is kind
    assert combined.field_info.media_type == media_type  # type: ignore[attr-defined]  # bodies have one
    assert combined.field_info.annotation.__name__ == "Body_op"  # type: ignore[union-attr]  # a model
    assert combined.required


def test_nothing_is_required_if_no_parameter_is() -> None:
    """Such a request may come without a body."""
    fields = [field(Body(None), str, "a"), field(Body(1), int, "b")]
    combined = build_body_field(fields, name="op", embed=True)

    assert combined is not None
    assert not combined.required


def test_a_users_own_kind_of_body_is_combined_as_what_it_derives_from() -> None:
    """Its constructor may want other arguments."""

    class Mine(Body):
        def __init__(self, note: str) -> None:
            super().__init__()
            self.note = note

    combined = build_body_field([field(Mine("x"), str, "a"), field(Mine("y"), str, "b")], name="op", embed=True)

    assert combined is not None
    assert type(combined.field_info) is Body
