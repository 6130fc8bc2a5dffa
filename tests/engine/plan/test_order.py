"""From the tree of calls to the steps, in the order in which they are taken."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from slipstream import Cookie, Depends, FastAPI, Header, Security
from slipstream._engine.plan.model import Again, Plan, Solve, Take
from slipstream.security import SecurityScopes


async def settings(x_tenant: Annotated[str, Header()]) -> str:
    return x_tenant


async def user(s: Annotated[str, Depends(settings)], token: Annotated[str, Cookie()]) -> str:
    return s + token


async def scoped(scopes: SecurityScopes) -> str:
    return scopes.scope_str


async def opened() -> AsyncIterator[int]:
    yield 1


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> int:
        return 1


def plan_of(endpoint: Any, path: str = "/{item}", **options: Any) -> Plan:
    app = FastAPI(openapi_url=None)
    app.get(path, **options)(endpoint)
    return app.routes[-1].plan  # type: ignore[attr-defined, no-any-return]


def told(plan: Plan) -> list[str]:
    """Write steps in short: `x_tenant`, `settings()`, `settings() again`; `+` says that a result is shared."""
    steps = []
    for step in plan.steps:
        if isinstance(step, Take):
            steps.append(f"{step.source} {step.field.name}")
        elif isinstance(step, Solve):
            steps.append(f"{step.call.origin.name}(){'+' if step.shared else ''}")
        elif isinstance(step, Again):
            steps.append(f"{step.first.origin.name}() again")
    return steps


def test_what_a_call_needs_comes_before_it() -> None:
    """Dependencies in the order they are written, then its own values by place: path, query, header, cookie, body."""

    async def endpoint(
        cookie: Annotated[str, Cookie()],
        header: Annotated[str, Header()],
        query: str,
        item: str,
        u: Annotated[str, Depends(user)],
    ) -> None: ...

    assert told(plan_of(endpoint)) == [
        "header x_tenant", "settings()", "cookie token", "user()", "path item", "query query", "header header",
        "cookie cookie",
    ]  # fmt: skip


def test_a_dependency_in_two_places_is_solved_once() -> None:
    """The first place solves it, wherever in the tree it is."""

    async def endpoint(u: Annotated[str, Depends(user)], s: Annotated[str, Depends(settings)]) -> None: ...

    assert told(plan_of(endpoint))[:5] == [
        "header x_tenant", "settings()+", "cookie token", "user()", "settings() again",
    ]  # fmt: skip


def test_use_cache_false_solves_anew_and_leaves_the_first_for_others() -> None:
    """A fresh value at this place; elsewhere the shared one."""

    async def endpoint(
        a: Annotated[int, Depends(opened)],
        b: Annotated[int, Depends(opened, use_cache=False)],
        c: Annotated[int, Depends(opened)],
    ) -> None: ...

    assert told(plan_of(endpoint)) == ["opened()+", "opened()", "opened() again"]


def test_dependencies_without_a_receiver_come_first_and_are_shared() -> None:
    """Those of app and routers guard the rest."""

    async def endpoint(s: Annotated[str, Depends(settings)], n: Annotated[int, Depends(opened)]) -> None: ...

    assert told(plan_of(endpoint, dependencies=[Depends(settings)])) == [
        "header x_tenant", "settings()+", "settings() again", "opened()",
    ]  # fmt: skip


@pytest.mark.parametrize(("dependency", "shared"), [(scoped, False), (opened, True)], ids=["sees scopes", "does not"])
def test_scopes_part_only_calls_that_can_see_them(dependency: Any, shared: bool) -> None:
    """A connection is one connection, whatever scopes its users ask for."""

    async def inner(value: Annotated[Any, Depends(dependency)]) -> Any: ...

    async def endpoint(
        a: Annotated[Any, Depends(dependency)], b: Annotated[Any, Security(inner, scopes=["x"])]
    ) -> None: ...

    assert any(isinstance(step, Again) for step in plan_of(endpoint).steps) is shared


def test_lifetimes_part_calls() -> None:
    """What is closed before the response cannot stand in for what is closed after it."""

    async def endpoint(
        a: Annotated[int, Depends(opened)], b: Annotated[int, Depends(opened, scope="function")]
    ) -> None: ...

    assert told(plan_of(endpoint)) == ["opened()", "opened()"]


def test_a_callable_without_hash_is_shared_by_equality() -> None:
    """Security schemes are such objects at times."""
    dependency = Unhashable()

    async def endpoint(a: Annotated[int, Depends(dependency)], b: Annotated[int, Depends(dependency)]) -> None: ...

    assert told(plan_of(endpoint)) == ["Unhashable()+", "Unhashable() again"]


def test_the_calls_of_a_plan_are_its_dependencies_and_then_the_endpoint() -> None:
    """Whoever asks what is needed must not forget the endpoint."""

    async def endpoint(u: Annotated[str, Depends(user)]) -> None: ...

    assert [call.origin.name.rpartition(".")[2] for call in plan_of(endpoint).calls] == ["settings", "user", "endpoint"]
