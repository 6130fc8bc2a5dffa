"""A plan in words."""

from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from slipstream import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Query,
    Request,
    Response,
    Security,
    WebSocket,
)
from slipstream._engine.plan.describe import describe_program, name_of, place, shown_default
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Call
from slipstream._engine.signature.model import Origin, Signature
from slipstream.responses import EventSourceResponse, HTMLResponse
from slipstream.security import HTTPBearer, SecurityScopes


class Item(BaseModel):
    name: str


class Order(StrEnum):
    NEWEST = "newest"


async def settings() -> str:
    return ""


async def opened() -> AsyncIterator[int]:
    yield 1


def blocking() -> Iterator[int]:
    yield 1


def told(function: Any, method: str = "post", **options: Any) -> list[str]:
    """Describe an endpoint, file names and lines left out."""
    app = FastAPI(openapi_url=None)
    getattr(app, method)("/{path}", **options)(function)
    lines = describe_program(app.routes[-1].compiled.program)  # type: ignore[attr-defined]
    return [line.replace(place_of(line), "") for line in lines]


def place_of(line: str) -> str:
    return line[line.index(" (") : line.index(")") + 1] if ".py:" in line else ""


def test_dependencies_are_told_in_order_with_what_each_reads() -> None:
    """Order and sharing are what people ask about most."""

    async def user(settings: Annotated[str, Depends(settings)], token: Annotated[str, Cookie(alias="t")]) -> None: ...

    async def endpoint(user: Annotated[str, Depends(user)], s: Annotated[str, Depends(settings)]) -> None: ...

    assert told(endpoint)[:8] == [
        "dependencies, in this order",
        "  settings: async, shared by 2 places",
        "  user: async",
        "    settings = what settings gives",
        '    token = cookie "t": str, required',
        "endpoint",
        "  endpoint: async",
        "    user = what user gives",
    ]


def test_each_kind_of_value_says_where_it_is_read_and_its_default() -> None:
    """A parameter that is read from somewhere unexpected is the commonest surprise."""

    async def endpoint(
        path: str,
        limit: Annotated[int, Query(ge=1)] = 10,
        order: Order = Order.NEWEST,
        tags: list[str] = Query(default_factory=list),
    ) -> None: ...

    assert told(endpoint)[2:6] == [
        '    path = path "path": str, required',
        '    limit = query "limit": int, Ge(ge=1), default 10',
        '    order = query "order": Order, default Order.NEWEST',
        '    tags = query "tags": list[str], default list()',
    ]


def test_objects_of_the_request_are_told_in_words() -> None:
    """They are handed over, not read."""

    async def scoped(scopes: SecurityScopes) -> None: ...

    async def endpoint(
        request: Request, reply: Response, tasks: BackgroundTasks, who: Annotated[str, Security(scoped, scopes=["me"])]
    ) -> None: ...

    lines = told(endpoint)

    assert "  scoped: async, security scopes me" in lines
    assert "    scopes = the security scopes me" in lines
    assert lines[lines.index("endpoint") + 2 :][:3] == [
        "    request = the request",
        "    reply = a response to set status and headers on",
        "    tasks = the background tasks",
    ]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Item, "  JSON: the whole document is the parameter; a missing content type is refused"),
        (
            Annotated[Item, Body(embed=True)],
            "  JSON: an object with one key per parameter; a missing content type is refused",
        ),
        (Annotated[str, Form()], "  form"),
    ],
)
def test_a_body_says_its_form(annotation: Any, said: str) -> None:
    """Whether one model stands alone or under its name decides what a client must send."""

    async def endpoint(body: Any) -> None: ...

    endpoint.__annotations__["body"] = annotation
    lines = told(endpoint)

    assert lines[:2] == ["body, read first", said]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ["  200 application/json, written as bytes; a Response is sent as it is"]),
        ({"status_code": 201, "response_model": Item, "response_model_exclude_none": True},
         ["  201 application/json, written as bytes; a Response is sent as it is",
          "  checked against Item, exclude_none=True",
          "  an instance of Item is written without a check"]),
        ({"response_class": HTMLResponse}, ["  200 HTMLResponse; a Response is sent as it is"]),
    ],
)  # fmt: skip
def test_a_reply_says_how_it_is_written(options: dict[str, Any], said: list[str]) -> None:
    """Status, media type and model: the other half of the contract."""

    async def endpoint(): ...  # type: ignore[no-untyped-def]  # an annotation would be the response model

    lines = told(endpoint, **options)

    assert lines[lines.index("response") + 1 :] == said


def test_streams_say_how_their_items_are_framed() -> None:
    """JSON lines, events, or chunks as they come."""

    async def lines() -> AsyncIterator[Item]:
        yield Item(name="a")

    async def events() -> AsyncIterator[Item]:
        yield Item(name="a")

    async def chunks() -> AsyncIterator[str]:
        yield "a"

    assert told(lines)[-2:] == ["  200 application/jsonl, one line an item", "  each item checked against Item"]
    assert told(events, response_class=EventSourceResponse)[-2] == "  200 text/event-stream, one event an item"
    assert told(chunks, response_class=HTMLResponse)[-1] == "  200 HTMLResponse of the chunks as they come"


def test_clean_up_says_what_is_closed_when_and_in_which_order() -> None:
    """Last opened, first closed; and one kind is closed before the client has its answer."""

    async def endpoint(
        a: Annotated[int, Depends(opened)],
        b: Annotated[int, Depends(blocking)],
        c: Annotated[int, Depends(opened, scope="function", use_cache=False)],
    ) -> None: ...

    async def conversation(websocket: WebSocket, a: Annotated[int, Depends(opened)]) -> None: ...

    assert told(endpoint)[-3:] == [
        "clean-up",
        "  before the response is sent: opened",
        "  after the response is sent: blocking, opened",
    ]
    assert told(conversation, "websocket")[-2:] == ["clean-up", "  when the endpoint returns: opened"]


def test_facts_about_one_use_of_a_dependency_are_told_with_it() -> None:
    """They change how it runs at this place and no other."""

    async def endpoint(
        a: Annotated[str, Depends(settings, use_cache=False, max_concurrency=2, scope="function")],
    ) -> None: ...

    assert told(endpoint)[1] == '  settings: async, scope "function", never shared, bounded by max_concurrency'


@pytest.mark.parametrize(
    ("function", "name"),
    [(settings, "settings"), (partial(settings), "settings"), (Item, "Item"), (HTTPBearer(), "http_bearer")],
)
def test_a_callable_is_named_as_people_call_it(function: Any, name: str) -> None:
    """An object must not look like its class: `HTTPBearer()` would read as making one."""
    call = Call(Signature(function, Origin("f", None, None), (), None, "async"), "/")

    assert name_of(call) == name


@pytest.mark.parametrize(
    ("default", "text"), [(10, "10"), ("a", '"a"'), (None, "None"), (Order.NEWEST, "Order.NEWEST")]
)
def test_a_default_is_told_as_it_was_written(default: Any, text: str) -> None:
    """`<Order.NEWEST: 'newest'>` is nothing that anybody wrote."""
    info: Any = Field(default=default)
    info.annotation = Any

    assert shown_default(ModelField(info, "x")) == text


def test_a_place_is_told_from_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Terminals open `shop/items.py:12`; what lies elsewhere keeps its whole path."""
    monkeypatch.chdir(tmp_path)

    assert place(Origin("f", str(tmp_path / "shop" / "items.py"), 12)) == str(Path("shop/items.py:12"))
    assert place(Origin("f", "/elsewhere/items.py", 12)) == "/elsewhere/items.py:12"
    assert place(Origin("f", None, None)) == "no source"
