"""What changes while an application runs is served from the next request on."""

import threading
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from slipstream import APIRouter, Depends, FastAPI
from slipstream._app.refresh import Latest, Lock, WatchedDict, WatchedList, version
from slipstream.testclient import TestClient


class Trouble(Exception):
    """Raised by an endpoint."""


def real() -> str:
    return "real"


def stand_in() -> str:
    return "stand-in"


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.get("/value")
    def value(value: str = Depends(real)) -> str:
        return value

    @app.get("/trouble")
    def trouble() -> None:
        raise Trouble

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/value").json() == "real"  # the application has been compiled by now
        yield client


def test_a_route_added_after_the_first_request_is_served(app: FastAPI, client: TestClient) -> None:
    """Plug-ins register late."""
    assert client.get("/late").status_code == 404

    app.get("/late")(real)

    assert client.get("/late").json() == "real"


def test_a_route_added_to_an_included_router_is_served(app: FastAPI, client: TestClient) -> None:
    """The inclusion is live, as in FastAPI since 0.137."""
    router = APIRouter()
    app.include_router(router, prefix="/more")
    assert client.get("/more/late").status_code == 404

    router.get("/late")(real)

    assert client.get("/more/late").json() == "real"


def test_removed_and_replaced_routes_are_no_longer_served(app: FastAPI, client: TestClient) -> None:
    """Packages that version an API take routes out of the list, or put another list in its place."""
    app.router.routes.remove(next(route for route in app.routes if getattr(route, "path", "") == "/value"))
    assert client.get("/value").status_code == 404

    app.router.routes = []
    assert client.get("/trouble").status_code == 404


def test_an_override_holds_from_the_next_request_on_and_no_longer_than_it_is_set(
    app: FastAPI, client: TestClient
) -> None:
    """Tests set and clear overrides around single requests."""
    app.dependency_overrides[real] = stand_in
    assert client.get("/value").json() == "stand-in"

    app.dependency_overrides.clear()
    assert client.get("/value").json() == "real"

    app.dependency_overrides = {real: stand_in}
    assert client.get("/value").json() == "stand-in"


def test_an_exception_handler_added_late_answers(app: FastAPI, client: TestClient) -> None:
    """It is looked up when the exception comes, so that it may be registered any time."""
    assert client.get("/trouble").status_code == 500

    @app.exception_handler(Trouble)
    async def answer(request: Request, exc: Trouble) -> PlainTextResponse:
        return PlainTextResponse("handled", status_code=418)

    assert client.get("/trouble").text == "handled"


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.append(4),
        lambda items: items.extend([4]),
        lambda items: items.insert(0, 4),
        lambda items: items.remove(1),
        lambda items: items.pop(),
        lambda items: items.sort(),
        lambda items: items.reverse(),
        lambda items: items.__setitem__(0, 4),
        lambda items: items.__delitem__(0),
        lambda items: items.__iadd__([4]),
        lambda items: items.clear(),
    ],
    ids=lambda change: "-".join(change.__code__.co_names),
)
def test_every_way_to_change_a_list_is_noticed(change: object) -> None:
    """A way that is forgotten would serve the old routes for ever."""
    items = WatchedList([3, 1, 2])
    plain = [3, 1, 2]
    before = version.number

    change(items)  # type: ignore[operator]
    change(plain)  # type: ignore[operator]

    assert version.number > before
    assert list(items) == plain


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.__setitem__("b", 2),
        lambda items: items.__delitem__("a"),
        lambda items: items.update(b=2),
        lambda items: items.pop("a"),
        lambda items: items.popitem(),
        lambda items: items.setdefault("b", 2),
        lambda items: items.__ior__({"b": 2}),
        lambda items: items.clear(),
    ],
    ids=lambda change: "-".join(change.__code__.co_names),
)
def test_every_way_to_change_a_dictionary_is_noticed(change: object) -> None:
    """The same for overrides and exception handlers."""
    items = WatchedDict({"a": 1})
    plain = {"a": 1}
    before = version.number

    change(items)  # type: ignore[operator]
    change(plain)  # type: ignore[operator]

    assert version.number > before
    assert dict(items) == plain


def test_what_is_made_of_changing_things_is_made_once_a_change() -> None:
    """Requests ask for it all the time."""
    made: list[int] = []
    latest = Latest(lambda: made.append(version.number) or len(made))  # type: ignore[func-returns-value]  # that is why

    assert (latest.get(), latest.get()) == (1, 1)
    version.bump()
    assert (latest.get(), latest.get()) == (2, 2)


def test_a_change_while_it_is_made_has_it_made_once_more() -> None:
    """Another thread may add a route while the table of the routes is read."""
    made: list[int] = []

    def make() -> int:
        made.append(version.number)
        if len(made) == 1:
            version.bump()
        return len(made)

    latest = Latest(make)

    assert [latest.get(), latest.get(), latest.get()] == [1, 2, 2]


def test_a_value_that_expires_while_another_thread_makes_it_is_made_once_more() -> None:
    """The thread that makes it may have looked before there was the reason to."""
    at_the_lock = threading.Event()

    class SeenLock(Lock):
        def __enter__(self) -> None:
            if threading.current_thread() is other:
                at_the_lock.set()
            super().__enter__()

    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        if len(made) == 1:
            other.start()
            assert at_the_lock.wait(timeout=5)
        return made[-1]

    latest = Latest(make)
    latest._lock = SeenLock()
    other = threading.Thread(target=latest.expire)

    latest.get()
    other.join()

    assert latest.get() == 1
