"""What is decided about a handler, read as data: no text is looked at."""

from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_serializer

from slipstream import Body, Cookie, Depends, FastAPI, Form, Header, Query, Request, Response, WebSocket
from slipstream._engine.plan.arrange import arrange
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.model import Solve, Take
from slipstream._engine.plan.program import (
    Act,
    Check,
    Encode,
    Hop,
    Manner,
    Mark,
    Open,
    Program,
    ReadBody,
    Refuse,
    TakeJson,
)
from slipstream.responses import HTMLResponse


class Item(BaseModel):
    name: str


class Aliased(BaseModel):
    name: str = Field(serialization_alias="title")


class Revalidated(BaseModel):
    model_config = ConfigDict(revalidate_instances="always")
    name: str


class Written(BaseModel):
    name: str

    @field_serializer("name")
    def write(self, value: str) -> str:
        return value


def settings() -> int:
    return 1


def user(settings: Annotated[int, Depends(settings)]) -> int:
    return settings


async def token(x_token: Annotated[str, Header()]) -> str:
    return x_token


async def simple() -> AsyncIterator[int]:
    yield 1


async def scoped() -> AsyncIterator[int]:
    with nullcontext():
        yield 1


def threaded() -> Iterator[int]:
    yield 1


async def handle() -> None: ...


def work() -> None: ...


def arranged(endpoint: Any, manner: Manner = Manner(), **options: Any) -> Program:
    """Decide about an endpoint at `POST /{x}`; `needs` are dependencies that nobody receives."""
    app = FastAPI(openapi_url=None)
    needs = [Depends(need) if callable(need) else need for need in options.pop("needs", ())]
    app.post("/{x}", dependencies=needs, **options)(endpoint)
    return arrange(app.routes[-1].plan, manner)  # type: ignore[attr-defined]


def shape(acts: tuple[Act, ...]) -> list[Any]:
    """Write acts down: calls by name, hops as lists, others by class."""
    told: list[Any] = []
    for act in acts:
        if isinstance(act, Hop):
            told.append(shape(act.steps))
        elif isinstance(act, Solve):
            told.append(name_of(act.call))
        elif isinstance(act, Take):
            told.append(act.field.name)
        else:
            told.append(type(act).__name__)
    return told


def given(hop: Act) -> list[Any]:
    """Write down what a hop gives back."""
    assert isinstance(hop, Hop)
    return shape(hop.gives)


def only(program: Program, kind: type[Any]) -> Any:
    """Find the one act of a kind, in hops too."""
    acts = [
        inner for act in (*program.feeding, *program.ending) for inner in (act.steps if isinstance(act, Hop) else [act])
    ]
    (found,) = (act for act in acts if isinstance(act, kind))
    return found


def test_neighbouring_sync_dependencies_share_a_hop() -> None:
    """Each hop costs a wake-up of a thread; what is used inside alone does not come back."""

    async def endpoint(user: Annotated[int, Depends(user)]) -> None: ...

    program = arranged(endpoint)

    assert shape(program.feeding) == [["settings", "user"]]
    assert given(program.feeding[0]) == ["user"]
    assert shape(program.ending) == ["Invoke", "Encode"]


def test_the_endpoints_worker_does_what_leads_up_to_it() -> None:
    """Errors included, for nothing else is called if there are any."""

    def endpoint(user: Annotated[int, Depends(user)], x: int, limit: int = 3) -> None: ...

    program = arranged(endpoint)

    assert program.feeding == ()
    assert shape(program.ending) == [["settings", "user", "x", "limit", "Refuse", "Invoke"], "Encode"]
    assert given(program.ending[0]) == ["Invoke"]


@pytest.mark.parametrize("need", [handle, Depends(user, max_concurrency=1)], ids=["async", "bounded"])
def test_what_the_event_loop_has_to_do_ends_a_hop(need: Any) -> None:
    """A worker cannot await, and the bound is kept by the loop."""
    program = arranged(work, needs=[settings, need])

    assert not any(isinstance(act, Hop) for act in program.feeding)
    assert shape(program.ending) == ["Invoke", "Encode"]


@pytest.mark.parametrize("gives", ["messages", "response", "value", "nothing"])
def test_who_observes_sees_every_call_by_itself(gives: Any) -> None:
    """No hop is shared, the body is parsed before it is validated, and all errors are there together."""

    def endpoint(item: Item, user: Annotated[int, Depends(user)]) -> Item: ...  # type: ignore[empty-body]

    program = arranged(endpoint, Manner(gives=gives, shows_steps=True))

    assert shape(program.feeding) == ["settings", "user", "item", "Refuse"]
    assert not any(isinstance(act, Hop) for act in program.ending)
    assert program.fast_body is None
    assert program.reads_request
    assert program.errors == "gathered"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (None, [["settings", "Invoke"], "Encode"]),
        (Item, [["settings", "Invoke", "Encode"]]),
        (Written, [["settings", "Invoke", "Check"], "Encode"]),
    ],
)
def test_a_sync_endpoints_worker_validates_and_writes_unless_a_users_serializer_would_run(
    model: Any, expected: list[Any]
) -> None:
    """Reading attributes may block; a serializer of the user's has always run in the loop."""
    program = arranged(work, response_model=model, needs=[settings])

    assert shape(program.ending) == expected
    assert only(program, Encode).is_checked is (model is Written)
    assert given(program.ending[0]) == (["Invoke", "Encode"] if model is Item else ["Invoke"])


def test_a_function_around_the_handler_gets_a_response_object_that_the_loop_makes() -> None:
    """It is the user's function, and may look at anything."""
    program = arranged(work, Manner(gives="response", has_request=True), response_model=Item)

    assert shape(program.ending) == [["Invoke", "Check"], "Encode"]
    assert only(program, Encode).into == "response"
    assert not program.makes_request


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"response_model": Item}, Encode("bytes", trusts=Item)),
        ({"response_model": Revalidated}, Encode("bytes")),
        ({"response_model": Aliased}, Encode("bytes", trusts=Aliased, options={"by_alias": True})),
        (
            {"response_model": Item, "response_model_exclude_none": True},
            Encode("bytes", trusts=Item, options={"exclude_none": True}),
        ),
        ({"response_class": HTMLResponse}, Encode("response")),
        ({}, Encode("bytes")),
    ],
)
def test_how_a_result_is_written_is_decided_once(options: dict[str, Any], expected: Encode) -> None:
    """Options that make no difference are left out; instances are trusted where Pydantic would not look at them."""
    assert arranged(handle, **options).response == expected


def test_an_endpoint_that_yields_is_one_step() -> None:
    """Nothing is called before somebody reads the stream."""

    async def endpoint() -> AsyncIterator[int]:
        yield 1

    assert arranged(endpoint).ending == (Encode("stream"),)


@pytest.mark.parametrize(
    ("need", "is_simple", "is_shielded"), [(simple, True, False), (scoped, False, True), (threaded, False, False)]
)
def test_open_dependencies_say_how_they_are_closed(need: Any, is_simple: bool, is_shielded: bool) -> None:
    """A plain async generator is closed in place; a shield costs, and stands only where a scope may be open."""
    program = arranged(handle, needs=[need])

    assert program.closing is None
    assert program.exits is not None
    assert [name_of(call) for call in program.exits.calls] == [need.__name__]
    assert (program.exits.is_simple, program.is_shielded) == (is_simple, is_shielded)
    assert only(program, Open).exits == "exits"


def test_the_scope_says_on_which_list_a_dependency_is() -> None:
    """Closed with the endpoint, or after the response, last opened first."""
    late, early = Depends(simple, use_cache=False), Depends(simple, scope="function", use_cache=False)
    program = arranged(handle, needs=[late, early, Depends(scoped)])

    assert program.closing is not None
    assert program.exits is not None
    assert (len(program.closing.calls), program.closing.is_simple) == (1, True)
    assert [name_of(call) for call in program.exits.calls] == ["scoped", "simple"]


def test_a_form_is_closed_after_the_response() -> None:
    """Its files are open as long as somebody can read them."""

    async def endpoint(name: Annotated[str, Form()]) -> None: ...

    program = arranged(endpoint)

    assert program.exits is not None
    assert program.exits.calls == ()
    assert not program.exits.is_simple
    assert (program.makes_request, program.keeps_raw) == (True, False)


def test_the_first_value_is_the_body_straight_from_its_bytes() -> None:
    """Parsing and validating at once takes a third of the time; its error is the first in any case."""

    async def endpoint(item: Item) -> None: ...

    program = arranged(endpoint)

    assert isinstance(program.read, ReadBody)
    assert (program.read.fast, program.read.is_first) == (program.plan.body and program.plan.body.fields[0], True)
    assert program.feeding == ()
    assert (program.errors, program.keeps_raw) == ("at once", True)


def test_after_another_value_the_bodys_errors_wait_for_their_turn() -> None:
    """Errors are listed in the order of the parameters."""

    async def endpoint(x: int, item: Item) -> None: ...

    program = arranged(endpoint)

    assert shape(program.feeding) == ["x", "item", "Refuse"]
    assert only(program, TakeJson).is_retry


@pytest.mark.parametrize(
    "body", [Annotated[Item, Body(embed=True)], Annotated[Item | Aliased, Body()]], ids=["embedded", "ambiguous union"]
)
def test_a_body_whose_bytes_could_mean_something_else_is_parsed_first(body: Any) -> None:
    """Pydantic's JSON mode is more lenient in places."""

    async def endpoint(item: Any) -> None: ...

    endpoint.__annotations__["item"] = body

    assert arranged(endpoint).fast_body is None


def test_a_dependency_is_called_only_if_what_it_needs_was_right() -> None:
    """Errors that were there before are not its own: they are counted from a mark."""

    async def first(q: int) -> None: ...

    async def second(r: int) -> None: ...

    program = arranged(handle, needs=[first, settings, second])

    solved = {name_of(act.call): act.condition for act in program.feeding if isinstance(act, Solve)}
    assert solved == {"first": "unless wrong", "settings": "always", "second": "unless wrong since mark"}
    assert shape(program.feeding) == ["q", "first", "settings", "Mark", "r", "second", "Refuse"]
    assert isinstance(program.feeding[3], Mark)
    assert program.feeding[3].call is program.feeding[5].call  # type: ignore[union-attr]


@pytest.mark.parametrize(("names", "is_singly"), [(2, True), (3, False)])
def test_few_headers_are_looked_up_one_by_one(names: int, is_singly: bool) -> None:
    """A dictionary of all headers pays only where several are read; the content type of JSON is one of them."""

    async def one(a: Annotated[str, Header()]) -> None: ...

    async def two(b: Annotated[str, Header()]) -> None: ...

    async def endpoint(item: Item) -> None: ...

    assert arranged(endpoint, needs=[one, two][: names - 1]).searches_headers is is_singly


@pytest.mark.parametrize("kind", [Request, Response])
def test_a_request_is_made_where_somebody_asks_for_it(kind: Any) -> None:
    """It then keeps the body; making it for nobody would cost a microsecond."""

    async def endpoint(item: Item, thing: Any) -> None: ...

    endpoint.__annotations__["thing"] = kind
    program = arranged(endpoint)

    assert program.makes_request is program.reads_request is (kind is Request)
    assert program.keeps_raw is (kind is Response)


def test_a_web_socket_has_no_body_and_no_result() -> None:
    """A body parameter has its default; the endpoint's own call is in no hop that it shares."""

    def endpoint(
        ws: WebSocket, q: Annotated[int, Query()] = 1, item: Annotated[Item | None, Body()] = None
    ) -> None: ...

    app = FastAPI(openapi_url=None)
    app.websocket("/", dependencies=[Depends(settings), Depends(user)])(endpoint)
    program = arrange(app.routes[-1].plan, Manner(gives="nothing"))  # type: ignore[attr-defined]

    assert shape(program.feeding) == [["settings", "Again", "user"], "q", "item", "Refuse"]
    assert program.read is None
    assert shape(program.ending) == ["Invoke"]
    assert program.response is None


def test_a_handler_that_gives_a_value_encodes_nothing() -> None:
    """Whoever called it takes what the function returned, awaited if a plain function returned a coroutine."""
    program = arranged(work, Manner(gives="value"), needs=[settings], response_model=Item)

    assert shape(program.ending) == [["settings", "Invoke"], "Await"]
    assert not any(isinstance(act, (Check, Encode, Refuse)) for act in program.ending)


def test_what_is_read_again_after_a_hop_is_parsed_before_it() -> None:
    """The query was parsed twice; what only the worker reads is left to it."""

    def paged(
        settings: Annotated[int, Depends(settings)], page: str = "1", c: Annotated[str, Cookie()] = ""
    ) -> None: ...

    async def endpoint(a: Annotated[None, Depends(paged)], q: str = "") -> None: ...

    hop = arranged(endpoint).feeding[0]

    assert isinstance(hop, Hop)
    assert shape(hop.shares) == ["page"]
