"""`slipstream.handlers`: functions that are called with a connection and an event."""

import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, ClassVar

import pytest

from slipstream import BackgroundTasks, Body, Cookie, Depends, FastAPI, Header, Path, Request, Response, WebSocket
from slipstream.exceptions import DefinitionError, FastAPIError, RequestValidationError
from slipstream.handlers import EventHandler, UnfitHandler
from slipstream.requests import HTTPConnection

pytestmark = pytest.mark.anyio


class Peer:
    """A connection of the tests' own: the class says that it is one."""

    slot_context: ClassVar = "link"

    def __init__(self, **headers: str) -> None:
        self.headers = headers


def scope_of(peer: Peer) -> dict[str, Any]:
    """Make a scope with a peer's headers."""
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in peer.headers.items()]
    return {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": headers,
        "query_string": b"",
        "path_params": {"a": "1"},
    }


def no_scope(peer: Peer) -> dict[str, Any]:
    """Fail: nobody should need a scope."""
    raise AssertionError("nothing here reads one")


def handler(function: Callable[..., Any], provider: Any = None) -> EventHandler:
    return EventHandler(function, "EVENT test", lambda: provider)


async def test_each_parameter_gets_what_its_type_or_its_place_says() -> None:
    """No name is prescribed, and a class says for itself that it is a connection."""

    async def typed(what: int, who: Peer) -> Any:
        return who, what

    async def bare(connection, event) -> Any:  # type: ignore[no-untyped-def]  # that is the case
        return connection, event

    async def neither() -> Any:
        return None

    peer = Peer()
    assert await handler(typed).handle(peer, 3, no_scope) == (peer, 3)
    assert await handler(bare).handle(peer, 3, no_scope) == (peer, 3)
    assert await handler(neither).handle(peer, 3, no_scope) is None
    assert [handler(each).event for each in (typed, bare, neither)] == [int, Any, None]


async def test_a_second_value_keeps_its_default_and_without_one_is_refused() -> None:
    """There is one event at a time."""

    async def kept(event: int, more: int = 4, *, given: int) -> Any:
        return event, more, given

    async def refused(event: int, more: int) -> None: ...

    assert await handler(functools.partial(kept, given=5)).handle(Peer(), 3, no_scope) == (3, 4, 5)
    with pytest.raises(UnfitHandler, match="one event at a time, for 'event', and none for 'more'"):
        handler(refused)


async def test_a_marked_value_is_the_event_too() -> None:
    """`Body()` says what is meant."""

    async def marked(event: Annotated[int, Body()]) -> int:
        return event

    assert await handler(marked).handle(Peer(), 3, no_scope) == 3


async def test_dependencies_get_the_connection_and_the_scope_is_made_for_those_that_read_it() -> None:
    """What an endpoint can depend on, a handler can; what nobody reads is not made."""

    async def direct(peer: Peer) -> str:
        return peer.headers["x_name"]

    async def read(
        x_name: Annotated[str, Header()], a: Annotated[int, Path()], c: Annotated[str, Cookie()] = "none"
    ) -> Any:
        return x_name, a, c

    async def asked(request: Request, connection: HTTPConnection) -> Any:
        return request is connection, request.headers["x-name"], await request.body()

    async def first(event: int, d: Annotated[str, Depends(direct)]) -> Any:
        return d

    async def second(event: int, r: Annotated[Any, Depends(read)], q: Annotated[Any, Depends(asked)]) -> Any:
        return r, q

    peer = Peer(x_name="me")
    assert await handler(first).handle(peer, 1, no_scope) == "me"
    assert await handler(second).handle(peer, 1, scope_of) == (("me", 1, "none"), (True, "me", b""))


async def test_what_a_dependency_cannot_read_is_a_validation_error() -> None:
    """Whoever calls decides what becomes of it."""

    async def read(x_name: Annotated[str, Header()], body: Annotated[int, Body()]) -> None: ...

    async def handle(event: int, r: Annotated[None, Depends(read)]) -> None: ...

    with pytest.raises(RequestValidationError) as caught:
        await handler(handle).handle(Peer(), 1, scope_of)

    assert [error["loc"] for error in caught.value.errors()] == [("header", "x-name"), ("body",)]


async def test_what_is_open_is_closed_after_the_function_and_hears_of_its_error() -> None:
    """In the order of an endpoint's: scope "function" first, then background tasks, then the others."""
    seen: list[Any] = []

    async def late(tasks: BackgroundTasks) -> AsyncIterator[None]:
        tasks.add_task(seen.append, "task")
        try:
            yield
        except KeyError as error:
            seen.append(error)
            raise
        seen.append("late")

    def early() -> Iterator[None]:
        yield
        seen.append("early")

    async def handle(
        event: int, a: Annotated[None, Depends(late)], b: Annotated[None, Depends(early, scope="function")]
    ) -> None:
        seen.append("handled")
        if event:
            raise KeyError(event)

    await handler(handle).handle(Peer(), 0, no_scope)
    assert seen == ["handled", "early", "task", "late"]

    with pytest.raises(KeyError):
        await handler(handle).handle(Peer(), 1, no_scope)
    assert isinstance(seen[-1], KeyError)


async def test_a_dependency_that_swallows_the_error_is_told_so() -> None:
    """An event that failed must not count as handled."""

    async def swallow() -> AsyncIterator[None]:
        try:
            yield
        except KeyError:
            pass

    async def handle(event: int, s: Annotated[None, Depends(swallow)]) -> None:
        raise KeyError

    with pytest.raises(FastAPIError, match="catches it without raising it again"):
        await handler(handle).handle(Peer(), 1, no_scope)


async def test_a_plain_function_runs_in_a_thread_with_the_dependencies_before_it() -> None:
    """It may block; and one that returns an awaitable is waited for."""
    threads = []

    def settings() -> int:
        threads.append(threading.get_ident())
        return 1

    def handle(event: int, s: Annotated[int, Depends(settings)]) -> Any:
        threads.append(threading.get_ident())
        return later()

    async def later() -> str:
        return "awaited"

    own = handler(handle)
    assert await own.handle(Peer(), 1, no_scope) == "awaited"
    assert threads[0] == threads[1] != threading.get_ident()
    assert own.compiled.source.text.count("in_one_thread(work)") == 1


async def test_overrides_hold_from_the_next_event_on() -> None:
    """Tests set them while handlers run; nothing is compiled again while nothing changes."""
    app = FastAPI()

    async def settings() -> str:
        return "real"

    async def handle(event: int, s: Annotated[str, Depends(settings)]) -> str:
        return s

    own = handler(handle, app)
    assert await own.handle(Peer(), 1, no_scope) == "real"
    assert own.handle is own.handle
    app.dependency_overrides[settings] = lambda: "fake"
    assert await own.handle(Peer(), 1, no_scope) == "fake"
    app.dependency_overrides.clear()
    assert await own.handle(Peer(), 1, no_scope) == "real"


async def test_a_provider_that_changes_while_a_thread_compiles_has_the_last_word() -> None:
    """An application is attached while events come in: its overrides may not be lost to the first of them."""

    async def settings() -> str:
        return "real"

    async def handle(event: int, s: Annotated[str, Depends(settings)]) -> str:
        return s

    class Early:
        @property
        def dependency_overrides(self) -> dict[Any, Any]:
            providers.append(Late())
            thread = threading.Thread(target=lambda: own.handle)
            thread.start()
            thread.join(timeout=5)
            return {}

    class Late:
        dependency_overrides: ClassVar = {settings: lambda: "fake"}

    providers: list[Any] = [Early()]
    own = EventHandler(handle, "EVENT test", lambda: providers[-1])

    assert await own.handle(Peer(), 1, no_scope) == "real"
    assert await own.handle(Peer(), 1, no_scope) == "fake"


async def test_an_injected_response_goes_nowhere() -> None:
    """A dependency that endpoints share may set headers."""

    async def mark(response: Response) -> None:
        response.headers["x-mark"] = "1"

    async def handle(event: int, m: Annotated[None, Depends(mark)]) -> int:
        return event

    assert await handler(handle).handle(Peer(), 1, no_scope) == 1


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_an_endpoint_has_no_connection_of_a_link(protocol: str) -> None:
    """It is refused at its line, however deep the parameter stands."""

    async def who(peer: Peer) -> None: ...

    async def read(w: Annotated[None, Depends(who)]) -> None: ...

    async def talk(ws: WebSocket, w: Annotated[None, Depends(who)]) -> None: ...

    app = FastAPI()
    with pytest.raises(DefinitionError, match="a connection of a link only where one of its events is handled"):
        (app.get("/")(read) if protocol == "http" else app.websocket("/")(talk))
