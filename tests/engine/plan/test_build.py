"""Endpoint and options in, `Plan` out."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from slipstream import Body, Depends, FastAPI, File, Form, Limits, WebSocket
from slipstream._engine.errors import DefinitionWarning
from slipstream._engine.plan.model import Plan


class Item(BaseModel):
    name: str


async def no_body() -> None: ...
async def one(item: Item) -> None: ...
async def embedded(item: Annotated[Item, Body(embed=True)]) -> None: ...
async def two(item: Item, count: Annotated[int, Body()]) -> None: ...
async def form(name: Annotated[str, Form()]) -> None: ...
async def form_model(item: Annotated[Item, Form()]) -> None: ...
async def file(name: Annotated[str, Form()], content: Annotated[bytes, File()]) -> None: ...
async def below(item: Annotated[Any, Depends(one)]) -> None: ...


def plan_of(endpoint: Any, *methods: str, path: str = "/", **options: Any) -> Plan:
    app = FastAPI(openapi_url=None, **options)
    app.add_api_route(path, endpoint, methods=list(methods) or ["POST"])
    return app.routes[-1].plan  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("endpoint", "kind", "embed"),
    [(one, "json", False), (embedded, "json", True), (two, "json", True), (form, "form", True),
     (form_model, "form", False), (file, "form", True), (below, "json", False)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)  # fmt: skip
def test_a_body_is_json_or_a_form_and_has_keys_or_not(endpoint: Any, kind: str, embed: bool) -> None:
    """Decided once, for all parameters of endpoint and dependencies together."""
    body = plan_of(endpoint).body

    assert body is not None
    assert (body.kind, body.embed) == (kind, embed)


def test_a_plan_without_body_parameters_reads_no_body() -> None:
    """Nobody waits for bytes that nobody wants."""
    assert plan_of(no_body).body is None


def test_a_plan_is_named_after_methods_and_path() -> None:
    """The name in comments, tracebacks and profiles; path parameters without converters."""
    assert plan_of(no_body, "POST", "GET", path="/{a:int}").label == "GET,POST /{a}"


def test_strictness_is_that_of_the_application() -> None:
    """Unless router or route say otherwise."""
    strict, lax = plan_of(one).body, plan_of(one, strict_content_type=False).body

    assert strict is not None
    assert lax is not None
    assert (strict.strict, lax.strict) == (True, False)


def test_a_plan_has_the_limits_of_all_levels() -> None:
    """Whoever reads `slipstream explain` sees what holds, whichever spelling was used."""
    app = FastAPI(openapi_url=None, limits=Limits(errors=3), form_limits={"max_fields": 3})
    app.post("/", max_body_size=5)(form)
    limits = app.routes[-1].compiled.plan.limits  # type: ignore[attr-defined]

    assert (limits.errors, limits.form_fields, limits.body_size, limits.form_files) == (3, 3, 5, 1000)


@pytest.mark.parametrize("methods", [["GET"], ["HEAD"], ["GET", "HEAD"]], ids=str)
def test_several_unmarked_bodies_of_a_get_are_warned_of(methods: list[str]) -> None:
    """Nearly always, query parameters were meant; FastAPI serves it all the same."""

    async def endpoint(first: Item, second: Item) -> None: ...

    with pytest.warns(DefinitionWarning, match="with several bodies"):
        assert plan_of(endpoint, *methods).body is not None
    assert plan_of(endpoint, "GET", "POST").body is not None


def test_a_websocket_has_neither_body_nor_reply() -> None:
    """Its plan is a tree and steps, and nothing else."""

    async def endpoint(websocket: WebSocket, item_id: int) -> None: ...

    app = FastAPI(openapi_url=None)
    app.websocket("/{item_id}")(endpoint)
    plan: Plan = app.routes[-1].plan  # type: ignore[attr-defined]

    assert (plan.protocol, plan.label, plan.body) == ("websocket", "WS /{item_id}", None)
