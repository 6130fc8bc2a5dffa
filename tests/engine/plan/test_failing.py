"""What can be wrong with a request, and what becomes of it."""

from typing import Annotated, Any

import pytest
from pydantic import Field

from slipstream import Cookie, Depends, FastAPI, Header, Query
from slipstream._engine.plan.arrange import Failing
from slipstream._engine.plan.fields import is_plain_str
from slipstream._engine.plan.model import Plan, Take


def plan_of(endpoint: Any, path: str = "/", **options: Any) -> Plan:
    app = FastAPI(openapi_url=None)
    app.get(path, **options)(endpoint)
    return app.routes[-1].plan  # type: ignore[attr-defined, no-any-return]


async def tenant(x_tenant: Annotated[str, Header()]) -> str:
    return x_tenant


async def audit() -> None: ...


async def who(tenant: Annotated[str, Depends(tenant)]) -> str:
    return tenant


@pytest.mark.parametrize(
    ("annotation", "default", "can_fail"),
    [
        (str, "x", False),
        (str | None, None, False),
        (str, ..., True),
        (int, 1, True),
        (Annotated[str, Query(max_length=3)], "x", True),
        (Annotated[str, Cookie()], "x", False),
        (Annotated[str, Query(validate_default=True)], "x", True),
    ],
    ids=["string", "perhaps a string", "required", "number", "constraint", "cookie", "checked default"],
)
def test_only_a_plain_string_with_a_default_is_always_right(annotation: Any, default: Any, can_fail: bool) -> None:
    """Where nothing can be wrong, no line is written about it."""

    async def endpoint(value: Any = default) -> None: ...

    endpoint.__annotations__["value"] = annotation
    if default is ...:
        endpoint.__defaults__ = ()
    plan = plan_of(endpoint)
    (step,) = plan.steps

    assert isinstance(step, Take)
    assert Failing(plan, raises_late=False).can_fail(step) is can_fail


@pytest.mark.parametrize(("path", "errors"), [("/{x}", "none"), ("/{x:path}", "none"), ("/{x:int}", "at once")])
def test_a_string_of_the_path_needs_no_check(path: str, errors: str) -> None:
    """Another converter gives something else."""

    async def endpoint(x: str) -> None: ...

    assert Failing(plan_of(endpoint, path), raises_late=True).errors == ("none" if errors == "none" else "gathered")
    assert Failing(plan_of(endpoint, path), raises_late=False).errors == errors


@pytest.mark.parametrize(
    ("needs", "errors"),
    [
        ([audit, tenant], "at once"),
        ([tenant, audit], "gathered"),
        ([tenant, who], "gathered"),
        ([who], "at once"),
        ([], "none"),
    ],
    ids=["call before", "call after", "told twice", "calls that need it", "nothing"],
)
def test_one_error_is_raised_at_once_unless_somebody_could_tell(needs: list[Any], errors: str) -> None:
    """A call that does without the value is made all the same, and a shared dependency's errors are told twice."""

    async def endpoint() -> None: ...

    plan = plan_of(endpoint, dependencies=[Depends(need) for need in needs])

    assert Failing(plan, raises_late=False).errors == errors


def test_what_a_dependency_shares_can_fail_for_it_too() -> None:
    """It may not be called either."""

    async def endpoint() -> None: ...

    plan = plan_of(endpoint, dependencies=[Depends(tenant), Depends(audit), Depends(who)])
    failing = Failing(plan, raises_late=False)

    assert [failing.below(call) for call in plan.root.dependencies] == [True, False, True]


def test_a_string_with_a_constraint_is_not_plain() -> None:
    """It has to be validated."""

    async def endpoint(a: str, b: Annotated[str, Field(min_length=1)]) -> None: ...

    assert [is_plain_str(step.field) for step in plan_of(endpoint).steps if isinstance(step, Take)] == [True, False]
