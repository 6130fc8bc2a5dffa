"""The text that calls dependencies and the endpoint."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated, Any

import pytest

from slipstream import BackgroundTasks, Depends, HTTPException, Request, Response, Security
from slipstream.security import SecurityScopes
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]


def test_a_dependency_with_errors_is_not_called_and_those_beside_it_are(serve: Serve) -> None:
    """It must not run on half of its values; the others may have errors of their own to tell."""
    ran = []

    async def wrong(a: int) -> None:
        ran.append("wrong")

    async def needs_it(value: Annotated[None, Depends(wrong)]) -> None:
        ran.append("needs it")

    async def beside(b: int) -> None:
        ran.append("beside")

    async def endpoint(x: Annotated[None, Depends(needs_it)], y: Annotated[None, Depends(beside)]) -> None:
        ran.append("endpoint")

    response = serve(endpoint).post("/?a=x&b=1")

    assert response.status_code == 422
    assert ran == ["beside"]


def test_errors_of_a_shared_dependency_are_told_at_each_place(serve: Serve) -> None:
    """As in FastAPI, where it is asked again."""

    async def shared(a: int) -> int:
        return a

    async def endpoint(x: Annotated[int, Depends(shared)], y: Annotated[int, Depends(shared)]) -> list[int]:
        return [x, y]

    client = serve(endpoint)
    assert client.post("/?a=1").json() == [1, 1]
    assert [error["loc"] for error in client.post("/").json()["detail"]] == [["query", "a"]] * 2


class Adder:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, value: int) -> int:
        return value + self.by


async def add(value: int, by: int) -> int:
    return value + by


@pytest.mark.parametrize("dependency", [Adder(2), partial(add, by=2)], ids=["object", "partial"])
def test_any_callable_is_a_dependency(serve: Serve, dependency: Any) -> None:
    """Objects and partials come under one class's or no name at all."""

    async def endpoint(x: Annotated[int, Depends(dependency)]) -> int:
        return x

    assert serve(endpoint).post("/?value=1").json() == 3


def test_two_callables_of_one_name_are_two(serve: Serve) -> None:
    """Every module has its `get`."""

    def make(result: int) -> Any:
        async def get() -> int:
            return result

        return get

    async def endpoint(x: Annotated[int, Depends(make(1))], y: Annotated[int, Depends(make(2))]) -> list[int]:
        return [x, y]

    assert serve(endpoint).post("/").json() == [1, 2]


def test_what_blocks_runs_in_a_thread(serve: Serve) -> None:
    """And the loop goes on."""

    def dependency() -> Iterator[int]:
        yield threading.get_ident()

    async def loop_thread() -> int:
        return threading.get_ident()

    def endpoint(x: Annotated[int, Depends(dependency)], loop: Annotated[int, Depends(loop_thread)]) -> list[bool]:
        return [x == loop, threading.get_ident() == loop]

    assert serve(endpoint).post("/").json() == [False, False]


def test_objects_of_the_request_are_the_same_for_all(serve: Serve) -> None:
    """A header set in a dependency is set on the response; scopes are those asked for above."""

    async def dependency(response: Response, request: Request, tasks: BackgroundTasks, scopes: SecurityScopes) -> Any:
        response.headers["x-scopes"] = scopes.scope_str
        return request, tasks

    async def endpoint(
        request: Request, tasks: BackgroundTasks, seen: Annotated[Any, Security(dependency, scopes=["a", "b"])]
    ) -> list[bool]:
        return [seen[0] is request, seen[1] is tasks]

    response = serve(endpoint).post("/")

    assert response.json() == [True, True]
    assert response.headers["x-scopes"] == "a b"


@pytest.mark.parametrize("fails", [False, True])
def test_a_place_under_a_bound_is_given_back(serve: Serve, fails: bool) -> None:
    """Else the next request would wait for ever; for calls, and for as long as a `yield` dependency is open."""

    async def call() -> None:
        if fails:
            raise HTTPException(418)

    async def opened() -> AsyncIterator[None]:
        if fails:
            raise HTTPException(418)
        yield

    async def first(x: Annotated[None, Depends(call, max_concurrency=1)]) -> None: ...
    async def second(x: Annotated[None, Depends(opened, max_concurrency=1)]) -> None: ...

    for endpoint in (first, second):
        client = serve(endpoint)
        assert [client.post("/").status_code for _ in range(3)] == [418 if fails else 200] * 3
