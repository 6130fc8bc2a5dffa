"""Function in, `Signature` out: where each parameter comes from."""

import functools
import inspect
import re
from typing import Annotated, Any, ForwardRef, TypeAlias
from uuid import UUID

import pytest
from pydantic import AliasChoices, BaseModel, Field
from pydantic_core import PydanticUndefined
from starlette.requests import HTTPConnection

from slipstream import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    File,
    Form,
    Header,
    Path,
    Query,
    Request,
    Response,
    UploadFile,
    WebSocket,
)
from slipstream._engine.signature.model import Slot
from slipstream._engine.signature.read import context_kind, path_names_of, read_signature
from slipstream._routes.services import IMPLIED
from slipstream.security import SecurityScopes


class Item(BaseModel):
    name: str


class StreamedRequest(Request): ...


def dependency() -> int:
    return 1


def slot(annotation: Any, default: Any = inspect.Parameter.empty, path: str = "/") -> Slot:
    """Read a function with one parameter called `value`."""

    def function(value: Any) -> None: ...

    parameter = inspect.Parameter("value", inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    function.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    return read_signature(function, path_names_of(path), IMPLIED).slots[0]


@pytest.mark.parametrize(
    ("annotation", "source"),
    [
        (int, "query"),
        (inspect.Parameter.empty, "query"),
        (UUID | None, "query"),
        (list[int], "body"),
        (dict[str, int], "body"),
        (Item, "body"),
        (Item | None, "body"),
        (UploadFile, "file"),
        (list[UploadFile], "file"),
        (Annotated[int, Header()], "header"),
        (Annotated[int, Cookie()], "cookie"),
        (Annotated[Item, Query()], "query"),
        (Annotated[int, Body()], "body"),
        (Annotated[int, Form()], "form"),
        (Annotated[bytes, File()], "file"),
        (Annotated[int, Field(gt=0)], "query"),
        (Annotated[int, Depends(dependency)], "dependency"),
        (Annotated[int, Query(), Header()], "header"),
        (Request, "context"),
        (StreamedRequest, "context"),
        (SecurityScopes, "context"),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", repr(value)),
)
def test_the_annotation_says_where_a_parameter_comes_from(annotation: Any, source: str) -> None:
    """A marker decides, the last one of several; without one the type does."""
    assert slot(annotation).source == source


@pytest.mark.parametrize(
    ("default", "source"),
    [(Query(), "query"), (Header(3), "header"), (Depends(dependency), "dependency"), (3, "query")],
    ids=["Query", "Header", "Depends", "value"],
)
def test_a_marker_may_be_the_default(default: Any, source: str) -> None:
    """The older way to write it."""
    assert slot(int, default).source == source


def test_a_name_in_the_path_is_a_path_parameter() -> None:
    """With a marker or without; a default is for another route of the same function."""
    implied, marked = slot(int, 3, "/{value}"), slot(Annotated[int, Path(gt=0)], path="/{value}")

    assert (implied.source, marked.source) == ("path", "path")
    assert (implied.marked, marked.marked) == (False, True)
    assert implied.meta.is_required()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [(Request, "request"), (StreamedRequest, "request"), (WebSocket, "websocket"), (HTTPConnection, "connection"),
     (Response, "response"), (BackgroundTasks, "background"), (SecurityScopes, "scopes"),
     (int, None), (list[int], None), (None, None)],
    ids=repr,
)  # fmt: skip
def test_bare_types_of_the_request_are_handed_over(annotation: Any, kind: str | None) -> None:
    """Subclasses too; nobody marks them."""
    assert context_kind(annotation) == kind


def test_defaults_are_kept_where_they_are_written() -> None:
    """`= 3`, `Query(3)`, a factory, or none at all."""
    assert slot(int, 3).meta.default == 3  # type: ignore[union-attr]
    assert slot(Annotated[int, Query()], 3).meta.default == 3  # type: ignore[union-attr]
    assert slot(int, Query(3)).meta.default == 3  # type: ignore[union-attr]
    assert slot(Annotated[list[int], Query(default_factory=list)]).meta.default_factory is list  # type: ignore[union-attr]
    assert slot(int).meta.default is PydanticUndefined  # type: ignore[union-attr]


def test_headers_are_named_with_hyphens() -> None:
    """Unless the name is given, or it is said that underscores are meant."""
    assert slot(Annotated[str, Header()]).meta.alias == "value"  # type: ignore[union-attr]

    def function(
        x_token: Annotated[str, Header()],
        x_raw: Annotated[str, Header(convert_underscores=False)],
        x_named: Annotated[str, Header(alias="X_Named")],
    ) -> None: ...

    slots = read_signature(function, frozenset(), IMPLIED).slots
    assert [each.meta.alias for each in slots] == ["x-token", "x_raw", "X_Named"]  # type: ignore[union-attr]


def test_of_several_aliases_the_one_in_the_path_counts() -> None:
    """A function may serve two paths that name one thing differently."""

    def function(value: Annotated[int, Path(validation_alias=AliasChoices("a", "b"))]) -> None: ...

    read = read_signature(function, frozenset({"b"}), IMPLIED).slots[0]

    assert read.meta.validation_alias == "b"  # type: ignore[union-attr]


def test_depends_without_a_callable_means_the_annotated_class() -> None:
    """The short way for classes."""
    assert slot(Annotated[Item, Depends()]).meta.dependency is Item  # type: ignore[union-attr]


def test_annotations_that_are_text_are_read_where_they_were_written() -> None:
    """`from __future__ import annotations`, and names that only type checkers import."""

    def function(item: "Item", unknown: Annotated["Nowhere", Depends(dependency)]) -> "Item": ...  # type: ignore[empty-body, name-defined] # noqa: F821

    signature = read_signature(function, frozenset(), IMPLIED)

    assert signature.slots[0].annotation is Item
    assert signature.slots[1].source == "dependency"
    assert signature.slots[1].annotation in (ForwardRef("Nowhere"), "Nowhere")
    assert signature.returns is Item


def test_a_wrapper_is_read_as_what_it_wraps() -> None:
    """Decorators made with `functools.wraps` show the parameters of the function inside."""

    @functools.wraps(dependency)
    def wrapper(*args: Any, **kwargs: Any) -> Any: ...

    signature = read_signature(wrapper, frozenset(), IMPLIED)

    assert (signature.slots, signature.returns) == ((), int)
    assert signature.origin.name == "dependency"


def test_names_of_a_path_are_those_in_braces() -> None:
    """The path comes without converters."""
    assert path_names_of("/users/{user_id}/items/{item_id}") == {"user_id", "item_id"}


def test_a_marked_parameter_is_read_for_each_path_by_itself() -> None:
    """Parameters that are written alike share what is read of them only where the path makes no difference."""
    whole: TypeAlias = Annotated[int, Path(validation_alias=AliasChoices("item_id", "id"))]

    def first(item: whole, limit: int = 1, user: str = "") -> None: ...
    def second(item: whole, limit: bool = True, user: str = "") -> None: ...

    one = read_signature(first, frozenset({"item_id"}), IMPLIED).slots
    two = read_signature(second, frozenset({"id"}), IMPLIED).slots

    infos: list[list[Any]] = [[slot.meta for slot in slots] for slots in (one, two)]
    assert [item.validation_alias for item, _, _ in infos] == ["item_id", "id"]
    assert [type(limit.default) for _, limit, _ in infos] == [int, bool]
    assert one[2] is two[2]
