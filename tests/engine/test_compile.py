"""The last part of the registration trip: from a plan to the function that serves it."""

import linecache
import os
import subprocess
import sys
import traceback
from functools import partial
from typing import Any

import pytest
from starlette.requests import Request

from slipstream import Depends, FastAPI, WebSocket
from slipstream._engine.compile import compile_plan
from slipstream._engine.emit import handler
from slipstream._routes.services import SERVICES
from slipstream.explain import explain
from slipstream.routing import APIRoute, APIWebSocketRoute
from slipstream.testclient import TestClient


def dependency(q: int = 1) -> int:
    return q


def endpoint(number: int, value: int = Depends(dependency)) -> int:
    return number // value


async def talk(websocket: WebSocket, number: int) -> None:
    await websocket.accept()


def plan(path: str = "/compiled/{number}") -> Any:
    return APIRoute(path, endpoint).plan


def test_a_plan_becomes_a_handler_that_knows_its_source_and_its_plan() -> None:
    """What serves can always be read: `explain`, tracebacks and tests rely on it."""
    made = plan()

    compiled = compile_plan(made, SERVICES)

    assert compiled.plan is made
    assert compiled.dialect == "asgi"
    assert compiled.filename == f"<slipstream GET /compiled/{{number}} -> {__name__}.endpoint, asgi>"
    assert "".join(linecache.getlines(compiled.filename)) == compiled.source.text


def test_the_same_plan_gives_the_same_text() -> None:
    """Profiles of two processes add up, and golden files hold."""
    assert compile_plan(plan(), SERVICES).source.text == compile_plan(plan(), SERVICES).source.text


@pytest.mark.parametrize(("dialect", "arguments"), [("asgi", ("scope", "receive", "send")), ("request", ("request",))])
def test_the_dialect_says_what_the_handler_is_called_with(dialect: Any, arguments: tuple[str, ...]) -> None:
    """ASGI's three arguments, or the Request that a custom class of routes hands over."""
    code = compile_plan(plan(), SERVICES, dialect).handler.__code__

    assert code.co_varnames[: code.co_argcount] == arguments


def test_a_web_socket_has_one_dialect() -> None:
    """Nobody has to say so: it follows from the plan's protocol."""
    made = APIWebSocketRoute("/compiled/{number}", talk).plan

    assert compile_plan(made, SERVICES).dialect == "websocket"
    assert compile_plan(made, SERVICES).filename == (
        f"<slipstream WS /compiled/{{number}} -> {__name__}.talk, websocket>"
    )


@pytest.mark.anyio
async def test_tracebacks_show_the_generated_line() -> None:
    """Whoever reads one sees what the framework did with the request, not a line number in nowhere."""
    handler = compile_plan(APIRoute("/zero", lambda: 1 // 0).plan, SERVICES, "request").handler
    scope = {"type": "http", "method": "GET", "path": "/zero", "query_string": b"", "headers": []}

    with pytest.raises(ZeroDivisionError) as caught:
        await handler(Request(scope))

    shown = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename.startswith("<slip")]
    assert shown
    assert all(frame.line for frame in shown)


class Greeting:
    def __call__(self) -> str:
        return "hello"


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        (Greeting(), "Greeting"),
        (Greeting().__call__, "Greeting.__call__"),
        (partial(partial(endpoint, 1), 2), "endpoint"),
    ],
)
def test_whatever_can_be_an_endpoint_has_a_name(endpoint: Any, name: str) -> None:
    """Objects, methods and partials are endpoints too."""
    assert f"{name}, asgi>" in compile_plan(APIRoute("/named", endpoint).plan, SERVICES).filename


def test_each_text_of_an_endpoint_has_a_file_name_of_its_own() -> None:
    """A traceback through one of them must not show the lines of another."""
    app = FastAPI()
    app.get("/variants/{number}")(endpoint)
    route: Any = app.routes[-1]
    compiler = route._compiler
    other = {dependency: lambda: 2}

    made = [
        compiler.compiled(overrides, dialect, is_observed=is_observed)
        for overrides in ({}, other)
        for dialect in ("asgi", "direct", "request")
        for is_observed in (False, True)
        if not (dialect == "direct" and is_observed)
    ]

    names = [compiled.filename for compiled in made]
    start = f"<slipstream GET /variants/{{number}} -> {__name__}.endpoint, "
    assert len(set(names)) == len({compiled.source.text for compiled in made}) == 10
    assert names[:5] == [
        start + kind for kind in ("asgi>", "asgi, observed>", "direct>", "request>", "request, observed>")
    ]
    assert names[5:] == [f"{name[:-1]} #2>" for name in names[:5]]
    assert all("".join(linecache.getlines(each.filename)) == each.source.text for each in made)


def test_file_names_are_the_same_from_run_to_run() -> None:
    """Profiles of two processes are compared, and a log of last week is read beside the source of today."""
    program = (
        "from slipstream import FastAPI\n"
        "apps = [FastAPI(), FastAPI()]\n"
        "for app in apps:\n"
        "    app.get('/')(lambda: 1) if app is apps[0] else app.get('/')(lambda a: a)\n"
        "print([app.routes[-1].compiled.filename for app in apps])\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip

    assert runs == {
        "['<slipstream GET / -> __main__.<lambda>, asgi>', '<slipstream GET / -> __main__.<lambda>, asgi #2>']\n"
    }


def test_a_traceback_shows_the_lines_of_its_own_route_when_two_are_alike() -> None:
    """The path of a mounted application is the same as one above it, and so may be the endpoint's name."""
    app, inner = FastAPI(), FastAPI()

    async def fails() -> None:
        raise RuntimeError("here")

    async def works(a: int = 1, b: int = 2) -> int:
        return a + b

    works.__qualname__ = fails.__qualname__
    app.get("/")(fails)
    inner.get("/")(works)
    app.mount("/inner", inner)
    client = TestClient(app)
    with pytest.raises(RuntimeError):
        client.get("/")
    assert client.get("/inner/").json() == 3

    with pytest.raises(RuntimeError, match="here") as caught:
        client.get("/")

    frames = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if "<slipstream" in frame.filename]
    assert [frame.line for frame in frames] == [
        "return await fail(exc, scope, receive, send, started=False)",
        "result = await fails()",
    ]
    assert frames[0].filename in explain(app, "GET /")


@pytest.mark.parametrize("kind", ["TakeJson", "Take", "ReadBody", "Solve", "Encode"])
def test_a_compile_that_fails_says_for_which_parameter_of_which_endpoint(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the cause is: a type of a future Pydantic, a mistake of ours."""

    def fail(pen: Any, step: Any) -> None:
        raise LookupError(kind)

    writers = {each: fail if each.__name__ == kind else write for each, write in handler._WRITERS.items()}
    monkeypatch.setattr(handler, "_WRITERS", writers)
    app = FastAPI()

    @app.post("/failing/{number}")
    def failing(number: int, body: dict[str, int], value: int = Depends(dependency)) -> int:
        return value

    with pytest.raises(LookupError) as caught:
        TestClient(app).post("/failing/1", json={})

    said = "\n".join(caught.value.__notes__)
    assert f"while POST /failing/{{number}} was compiled\n  at {__file__}" in said
    assert "failing" in said
    if kind == "Take":
        assert "for the parameter q: int\n  at " in said
