"""A user's function as the handler of a link."""

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, cast

import pytest
from pydantic import BaseModel, Field
from starlette.requests import Request

from slipstream import Depends, FastAPI, Header
from slipstream.links import Connection, Links, WrongHandler, current_connection
from slipstream.links.handlers import Handler
from slipstream.testclient import TestClient

from .support import Event

pytestmark = pytest.mark.anyio


def handler(function: Any) -> Handler:
    return Handler(function, "feed", lambda: None)


def test_the_event_is_validated_as_a_body_is() -> None:
    """Any type that Pydantic knows, constraints included."""

    async def model(event: Event) -> None: ...
    async def bounded(event: Annotated[int, Field(ge=3)]) -> None: ...
    async def anything(connection: Connection, event) -> None: ...  # type: ignore[no-untyped-def]  # that is the case

    assert handler(model).read(b'{"id": "7"}') == Event(id=7)
    assert handler(bounded).read("3") == 3
    assert handler(anything).read('{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError, match="greater"):
        handler(bounded).read("2")


def test_text_and_bytes_come_as_they_are() -> None:
    """A protocol that is not JSON is read by the program."""

    async def text(event: str) -> None: ...
    async def data(event: bytes) -> None: ...
    async def short(event: Annotated[str, Field(max_length=3)]) -> None: ...

    assert handler(text).read("a") == handler(text).read(b"a") == "a"
    assert handler(data).read("a") == handler(data).read(b"a") == b"a"
    assert handler(short).read("abc") == "abc"
    for raw in ("abcd", b"\xff"):
        with pytest.raises(ValueError):
            handler(short).read(raw)


@pytest.mark.parametrize(
    "write",
    [
        lambda a, b: None,
        lambda *events: None,
        lambda **events: None,
        eval("lambda event, /: None"),
    ],
    ids=["two events", "any number", "any names", "by place only"],
)
def test_a_function_that_asks_for_more_is_refused_where_it_is_written(write: Any) -> None:
    """The error says what to write instead."""
    with pytest.raises(WrongHandler, match="cannot handle the events of link 'feed'"):
        handler(write)


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def around(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return around


class Counting:
    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    async def __call__(self, event: Event) -> None:
        self.seen.append(event.id)


@pytest.mark.parametrize("way", ["partial", "partial with a name", "wrapped", "object", "partial object"])
async def test_whatever_can_be_called_is_run_to_its_end(way: str) -> None:
    """A coroutine that nobody awaits would count as an event that was handled."""
    seen: list[Any] = []

    async def note(into: list[Any], event: Event) -> None:
        into.append(event.id)

    @wrapped
    async def around(event: Event) -> None:
        seen.append(event.id)

    ways = {
        "partial": functools.partial(note, seen),
        "partial with a name": functools.partial(note, into=seen),
        "wrapped": around,
        "object": Counting(seen),
        "partial object": functools.partial(Counting(seen)),
    }
    own, nobody = handler(ways[way]), cast(Any, None)
    await own.run(nobody, own.read('{"id": 7}'))

    assert seen == [7]


async def test_an_annotation_that_cannot_be_read_is_refused_when_links_start() -> None:
    """The name may be defined below the handler; at the first event it is too late."""
    links = Links()
    link = links.webhook("/a")

    @link
    async def handle(event: "Unknown") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - that is the case

    with pytest.raises(WrongHandler, match="'Unknown' is not defined: event: Unknown"):
        async with links.running():
            raise AssertionError("started")


async def test_an_annotation_may_name_a_class_that_is_defined_below_the_handler() -> None:
    """In the module, or in the function around the handler."""
    links = Links()
    link = links.webhook("/a")

    @link
    async def handle(event: "Below") -> None:
        seen.append(event)

    class Below(BaseModel):
        id: int

    seen: list[Below] = []
    own, nobody = link.handler, cast(Any, None)
    async with links.running():
        assert own is not None
        await own.run(nobody, own.read('{"id": 7}'))

    assert seen == [Below(id=7)]


async def test_a_handler_of_running_links_is_read_at_once() -> None:
    """Nothing would read it later."""
    links = Links()
    link = links.webhook("/a")
    async with links.running():

        async def handle(event: "Unknown") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - that is the case

        with pytest.raises(WrongHandler, match="Unknown"):
            link(handle)


def test_callable_objects_and_methods_can_handle() -> None:
    """As they can be endpoints."""

    class Desk:
        async def __call__(self, event: Event) -> None: ...
        def method(self, connection: Connection, event: Event) -> None: ...

    assert handler(Desk()).read('{"id": 1}') == Event(id=1)
    assert handler(Desk().method).read('{"id": 1}') == Event(id=1)


def test_dependencies_are_solved_as_for_an_endpoint() -> None:
    """Shared, yielding, reading headers of the peer, overridden in tests; the connection is one of them."""
    app = FastAPI()
    links, seen = Links(app), list[Any]()

    async def database() -> AsyncIterator[str]:
        seen.append("open")
        yield "database"
        seen.append("closed")

    def settings() -> Iterator[str]:
        yield "real"

    async def who(
        connection: Annotated[Connection, Depends(current_connection)], agent: Annotated[str, Header(alias="x-agent")]
    ) -> str:
        return f"{agent} by {connection.kind} {connection.path_params['place']}"

    @links.webhook("/hook/{place}")
    async def handle(
        event: Event,
        request: Annotated[str, Depends(database)],
        mode: Annotated[str, Depends(settings)],
        peer: str = Depends(who),
    ) -> dict[str, Any]:
        seen.append((event.id, request, mode, peer))
        return {"ok": True}

    app.dependency_overrides[settings] = lambda: "fake"
    with TestClient(app) as client:
        answer = client.post("/hook/here", json={"id": 5}, headers={"x-agent": "me"})
        refused = client.post("/hook/here", json={"id": 6})

    assert answer.json() == {"ok": True}
    assert seen[:3] == ["open", (5, "database", "fake", "me by webhook here"), "closed"]
    assert refused.status_code == 422


def test_the_lifespan_state_reaches_dependencies() -> None:
    """What start-up yields is there as `request.state`, as for an endpoint."""

    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": "the pool"}

    app = FastAPI(lifespan=lifespan)

    def pool(request: Request) -> str:
        return str(request.state.pool)

    @Links(app).webhook("/hook")
    def handle(event: Event, pool: Annotated[str, Depends(pool)]) -> str:
        return pool

    with TestClient(app) as client:
        assert client.post("/hook", json={"id": 5}).json() == "the pool"
