"""Reading forms: values and files, alone and in models."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from slipstream._engine.runtime.body import form_reader
from slipstream._engine.runtime.take import Item, ItemModel, form_taker, present, read_again
from slipstream._engine.runtime.values import missing
from slipstream.limits import Limits

pytestmark = pytest.mark.anyio


class Refused(Exception):
    pass


def param(
    name: str, *, many: bool = False, models: Sequence[ItemModel] = (), optional: bool = False, **reads: bool
) -> Item:
    given: Any = {"models": tuple(models), "is_optional": optional, **reads}
    default = (lambda: None) if optional else None
    return Item(name, ((name, name),), many, lambda value, loc: (value, []), default, **given)


def upload(content: bytes) -> UploadFile:
    return UploadFile(io.BytesIO(content), filename="a", size=len(content))


def posted(body: bytes, content_type: bytes) -> Request[Any]:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "headers": [(b"content-type", content_type)]}, receive)


async def test_a_form_is_read_within_its_limits() -> None:
    """A thousand fields cost a client nothing to send."""
    read = form_reader(Refused, Limits(form_fields=1))

    form = await read(posted(b"a=1", b"application/x-www-form-urlencoded"))
    assert form["a"] == "1"
    with pytest.raises((HTTPException, Refused)):
        await read(posted(b"a=1&b=2", b"application/x-www-form-urlencoded"))


async def test_a_body_that_is_no_form_is_refused() -> None:
    """A multipart body without a boundary, or a client that left midway."""

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    request: Request[Any] = Request(
        {"type": "http", "headers": [(b"content-type", b"application/x-www-form-urlencoded")]}, gone
    )
    with pytest.raises(Refused):
        await form_reader(Refused, Limits())(request)
    with pytest.raises((HTTPException, Refused)):
        await form_reader(Refused, Limits())(posted(b"--x", b"multipart/form-data"))


async def test_values_come_in_the_order_of_the_parameters_with_all_errors() -> None:
    """All of one call are taken together, since models look at what others leave."""
    take = form_taker([param("a"), param("b"), param("c", many=True)], whole=False)

    values, errors = await take(FormData([("c", "1"), ("b", "2"), ("c", "3")]))

    assert values == [None, "2", ["1", "3"]]
    assert errors == [missing(("body", "a"))]


async def test_a_mapping_takes_the_form_whole() -> None:
    """`data: dict[str, str] = Form()`."""
    take = form_taker([param("data")], whole=True)

    values, errors = await take(FormData([("x", "1"), ("y", "2"), ("y", "3")]))

    assert (values, errors) == ([{"x": "1", "y": ["2", "3"]}], [])


async def test_a_model_gathers_its_fields_and_sees_what_is_left() -> None:
    """So that it can forbid unknown fields."""
    model = ItemModel((param("a"), param("b")), keeps_extras=False)
    take = form_taker([param("data", models=[model])], whole=False)

    assert await take(FormData([("a", "1"), ("z", "2")])) == ([{"a": "1", "z": "2"}], [])


@pytest.mark.parametrize(
    ("keeps_extras", "form", "value"),
    [
        (False, [], None),
        (False, [("z", "1")], None),
        (False, [("a", "1")], {"a": "1"}),
        (True, [("z", "1")], {"z": "1"}),
    ],
)
async def test_an_optional_model_is_unset_when_nothing_came_for_it(
    keeps_extras: bool, form: list[tuple[str, str]], value: Any
) -> None:
    """Fields of others do not make it."""
    model = ItemModel((param("a"),), keeps_extras=keeps_extras)
    take = form_taker([param("data", models=[model], optional=True)], whole=False)

    values, errors = await take(FormData(form))

    assert (values, errors) == ([value], [])


async def test_files_are_read_where_bytes_are_asked_for() -> None:
    """And left where they stood, for a dependency that wants the file."""
    files = [upload(b"abc"), upload(b"def")]
    take = form_taker([param("one", reads_bytes=True), param("all", many=True, reads_bytes_list=True)], whole=False)

    values, _ = await take(FormData([("one", files[0]), ("all", files[0]), ("all", files[1]), ("all", "text")]))

    assert values == [b"abc", [b"abc", b"def", "text"]]
    await files[0].seek(1)
    assert await read_again(files[0]) == b"bc"
    assert await read_again(files[0]) == b"bc"


async def test_what_is_present_comes_under_its_best_name() -> None:
    """First what was asked for, then the rest."""
    item = Item("a", (("x", "x"), ("y", "y")), False, lambda value, loc: (value, []), None)

    found = [(name, value) for name, value, _ in present([item], FormData([("y", "1"), ("x", "2"), ("z", "3")]))]

    assert found[0] == ("x", "2")
    assert found[-1] == ("z", "3")
