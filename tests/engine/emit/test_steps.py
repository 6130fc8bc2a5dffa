"""The text of a hop: what one worker thread does for a request, and what is kept from it."""

import threading
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, field_serializer

from slipstream import Depends, FastAPI, Response
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]
threads: dict[str, int] = {}


@pytest.fixture(autouse=True)
def none_seen() -> None:
    """Forget who ran where."""
    threads.clear()


def seen(name: str) -> None:
    """Note the thread."""
    threads[name] = threading.get_ident()


def source_of(endpoint: Any, **options: Any) -> str:
    """Write the source of an endpoint."""
    app = FastAPI(openapi_url=None)
    app.post("/", **options)(endpoint)
    text: str = app.routes[-1].source  # type: ignore[attr-defined]
    return text


def first() -> Iterator[int]:
    """Be a generator."""
    seen("first")
    yield 1


def second(first: Annotated[int, Depends(first)], a: int = 1) -> int:
    """Need another."""
    seen("second")
    return first + a


class Model(BaseModel):
    number: int

    @field_serializer("number")
    def write(self, value: int) -> int:
        """Note where it is written."""
        seen("serializer")
        return value


def test_what_stands_in_a_row_shares_a_thread(serve: Serve) -> None:
    """Dependencies, the endpoint, and the validation of its result; a user's serializer stays in the loop."""

    class Source:
        @property
        def number(self) -> int:
            seen("attribute")
            return 3

    def endpoint(second: Annotated[int, Depends(second)]) -> Any:
        seen("endpoint")
        return Source()

    async def loop() -> None:
        seen("loop")

    response = serve(endpoint, response_model=Model, dependencies=[Depends(loop)]).post("/")

    assert response.json() == {"number": 3}
    assert threads["first"] == threads["second"] == threads["endpoint"] == threads["attribute"] != threads["loop"]
    assert threads["serializer"] == threads["loop"]
    assert source_of(endpoint, response_model=Model).count("await in_one_thread(work)") == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_row_is_made_on_either_event_loop(backend: str) -> None:
    """Under trio by a worker of anyio's."""
    app = FastAPI(openapi_url=None)

    @app.post("/")
    def endpoint(second: Annotated[int, Depends(second)]) -> list[int]:
        seen("endpoint")
        return [second]

    with TestClient(app, backend=backend) as client:  # type: ignore[arg-type]
        assert client.post("/?a=2").json() == [3]

    assert threads["first"] == threads["second"] == threads["endpoint"] != threading.get_ident()


def test_what_is_async_ends_the_row() -> None:
    """What stands before it has had its hop."""

    async def between(first: Annotated[int, Depends(first)]) -> int:
        return first

    def endpoint(between: Annotated[int, Depends(between)], second: Annotated[int, Depends(second)]) -> None: ...

    before, between_, behind = source_of(endpoint).partition("await call_between(")

    assert between_
    assert "opened.__anext__()" in before
    assert "each(call_second, first, a)" in behind
    assert "each(endpoint, between, second)" in behind


def test_a_row_before_an_async_endpoint_shares_a_hop_too(serve: Serve) -> None:
    """What others need comes back; what is read again behind it is parsed before."""

    async def endpoint(
        second: Annotated[int, Depends(second)], first: Annotated[int, Depends(first)], b: str = ""
    ) -> Any:
        seen("loop")
        return [second, first, b]

    text = source_of(endpoint)

    assert "first, second = await in_one_thread(work)" in text
    assert text.count("query = read_query") == 1
    assert serve(endpoint).post("/?a=2&b=x").json() == [3, 1, "x"]
    assert threads["first"] == threads["second"] != threads["loop"]
    assert serve(endpoint).post("/?a=x").status_code == 422


def test_where_a_value_may_be_wrong_beside_others_a_row_ends(serve: Serve) -> None:
    """A dependency is called or not, and those behind it are called nevertheless: each is waited for by itself."""

    async def endpoint(
        b: int,
        second: Annotated[int, Depends(second)],
        first: Annotated[int, Depends(first)],
    ) -> Any:
        return [second, first, b]

    text = source_of(endpoint)

    assert "in_one_thread" not in text
    assert serve(endpoint).post("/?a=2&b=3").json() == [3, 1, 3]
    assert len(serve(endpoint).post("/?a=x&b=y").json()["detail"]) == 2


def test_a_users_validator_of_a_parameter_ends_the_row() -> None:
    """It runs in the event loop, as in FastAPI."""

    def endpoint(second: Annotated[int, Depends(second)], b: Annotated[int, AfterValidator(abs)] = 1) -> list[int]:
        return []

    before, _, inside = source_of(endpoint).rpartition("def work(each):")

    assert "check_b" in before
    assert "in_thread(call_second" in before
    assert "each(endpoint" in inside


@pytest.mark.parametrize("result", [3, "x", None, Response(b"raw", 202)])
def test_a_result_without_a_model_is_encoded_in_the_loop(serve: Serve, result: Any) -> None:
    """FastAPI's encoder may come upon any object there."""

    def endpoint():  # type: ignore[no-untyped-def]
        return result

    assert "work" not in source_of(endpoint)
    assert serve(endpoint).post("/").status_code == (202 if isinstance(result, Response) else 200)


def test_an_endpoint_may_take_the_names_of_the_text(serve: Serve) -> None:
    """`work` and `each` are the text's own."""

    def work(each: int, work: int = 2) -> list[int]:
        return [each, work]

    assert serve(work).post("/?each=1").json() == [1, 2]
