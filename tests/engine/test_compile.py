"""The registration trip: from a plan to the function that serves it."""

from typing import Any

import pytest

from slipstream import APIRouter, FastAPI, Request, WebSocket
from slipstream._engine.compile import compile_plan
from slipstream._routes.face import FACE
from slipstream.responses import Response


async def endpoint(item_id: int) -> dict[str, int]:
    return {"item": item_id}


async def conversation(websocket: WebSocket) -> None: ...


def plan_of(function: Any, method: str = "get") -> Any:
    router = APIRouter()
    getattr(router, method)("/{item_id}")(function)
    return router.routes[-1].plan  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_a_handler_serves_with_nothing_but_the_protocol() -> None:
    """No application, no router: scope, receive and send are all it needs."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    compiled = compile_plan(plan_of(endpoint), FACE)
    await compiled.handler({"type": "http", "path_params": {"item_id": "3"}, "query_string": b""}, None, send)

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b'{"item":3}'


@pytest.mark.anyio
async def test_in_the_request_dialect_a_response_comes_back() -> None:
    """For route classes that put functions of their own around it."""
    compiled = compile_plan(plan_of(endpoint), FACE, "request")

    response = await compiled.handler(Request({"type": "http", "path_params": {"item_id": "3"}, "headers": []}))

    assert isinstance(response, Response)
    assert response.body == b'{"item":3}'


@pytest.mark.parametrize(
    ("plan", "dialect", "head"),
    [
        (plan_of(endpoint), "asgi", "async def handle(scope, receive, send):"),
        (plan_of(endpoint), "request", "async def handle(request):"),
        (plan_of(conversation, "websocket"), "asgi", "async def handle(scope, receive, send):"),
    ],
    ids=["http", "request", "websocket"],
)
def test_what_was_compiled_knows_what_it_was_made_from(plan: Any, dialect: Any, head: str) -> None:
    """`explain` shows it, and a traceback its lines."""
    compiled = compile_plan(plan, FACE, dialect)

    assert (compiled.plan, compiled.dialect) == (plan, dialect)
    assert compiled.source.text.startswith(head)
    assert compiled.handler.__code__.co_filename == compiled.source.filename == f"<slipstream {plan.label}>"


def test_one_text_comes_from_one_plan() -> None:
    """Compiled twice, in two processes, after a restart: profiles and dumps can be laid side by side."""
    first, second = (compile_plan(plan_of(endpoint), FACE).source for _ in range(2))

    assert (first.text, first.shape, first.filename) == (second.text, second.shape, second.filename)


def test_nothing_is_compiled_before_it_is_needed() -> None:
    """An application with a thousand routes starts as fast as its decorators run."""
    app = FastAPI(openapi_url=None)
    app.get("/{item_id}")(endpoint)
    route: Any = app.routes[-1]

    before = dict(route._compiler._known)
    _ = route.source

    assert (len(before), len(route._compiler._known)) == (0, 1)
