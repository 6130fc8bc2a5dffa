"""Exceptions into responses: the same answers as Starlette's two middlewares give, and none of the cost before that."""

import functools
from typing import Any

import anyio
import pytest
from starlette.exceptions import HTTPException, WebSocketException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.websockets import WebSocket

from slipstream._engine.entry.guard import HANDLERS, Guard, answer, crash
from slipstream._engine.runtime.response import RESPONSE_STARTED

from .support import CASES, HANDLED, Message, ShopClosed, ShopOnFire, Sink, http_scope, receive, run, told


def ask(exc: Exception, handlers: dict[Any, Any], **more: Any) -> Sink:
    """Call `answer` with these handlers in the scope."""
    sink = Sink()
    scope = more.pop("scope", http_scope())
    scope[HANDLERS] = Guard.of(handlers).pair
    anyio.run(functools.partial(answer, exc, scope, receive, sink, **more))
    return sink


def test_the_nearest_class_answers() -> None:
    """A subclass without a handler of its own is served by its parent's; one of its own goes first."""
    handlers = {ShopClosed: told("closed"), OSError: told("os")}

    assert b'"by":"closed"' in ask(ShopOnFire("x"), handlers).body
    assert b'"by":"fire"' in ask(ShopOnFire("x"), {**handlers, ShopOnFire: told("fire")}).body


def test_a_status_goes_before_a_class() -> None:
    """As in Starlette: `exception_handlers={404: …}` beats a handler for HTTPException."""
    handlers = {HTTPException: told("class"), 404: told("status")}

    assert b'"by":"status"' in ask(HTTPException(404), handlers).body
    assert b'"by":"class"' in ask(HTTPException(403), handlers).body


def test_a_status_attribute_alone_is_no_http_exception() -> None:
    """Only HTTPException is looked up by status; others may have such an attribute for reasons of their own."""
    exc = ShopClosed("x")
    exc.status_code = 404  # type: ignore[attr-defined]

    assert b'"by":"class"' in ask(exc, {404: told("status"), ShopClosed: told("class")}).body


def test_nobody_registered_means_the_same_exception_comes_out() -> None:
    """Servers and test clients must see the user's own exception, not a wrapper."""
    exc = ShopClosed("x")

    with pytest.raises(ShopClosed) as caught:
        ask(exc, {OSError: told("os")})

    assert caught.value is exc


def test_a_scope_without_handlers_raises_too() -> None:
    """A compiled handler may be mounted in an application that sets none."""
    exc = ShopClosed("x")

    with pytest.raises(ShopClosed):
        anyio.run(answer, exc, http_scope(), receive, Sink())


def test_a_handler_that_comes_too_late_is_told() -> None:
    """Starlette's own words, which users' tests assert; the user's exception is the cause."""
    exc = ShopClosed("x")

    with pytest.raises(RuntimeError, match=r"^Caught handled exception, but response already started\.$") as caught:
        ask(exc, {ShopClosed: told("closed")}, started=True)

    assert caught.value.__cause__ is exc


@pytest.mark.parametrize("kind", ["async", "sync", "partial", "object"])
def test_handlers_may_be_any_callable(kind: str) -> None:
    """`async def`, `def`, partials and objects whose `__call__` is async."""

    async def plain(request: Request, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse("late", status_code=503)

    class Thing:
        async def __call__(self, request: Request, exc: Exception) -> PlainTextResponse:
            return await plain(request, exc)

    def sync(request: Request, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse("late", status_code=503)

    handler = {"async": plain, "sync": sync, "partial": functools.partial(plain), "object": Thing()}[kind]

    assert ask(ShopClosed(), {ShopClosed: handler}).body == b"late"


def test_a_sync_handler_leaves_the_loop_alone() -> None:
    """It runs in a worker thread, from which it may call back into the loop."""

    def sync(request: Request, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse(anyio.from_thread.run(request.body))

    assert ask(ShopClosed(), {ShopClosed: sync}).body == b"from the server"


def test_a_body_already_read_is_lent_to_the_handler() -> None:
    """Generated code reads the body without a Request; a handler that logs `await request.body()` must not hang."""

    async def handler(request: Request, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse(await request.body())

    assert ask(ShopClosed(), {ShopClosed: handler}, body=b"read before").body == b"read before"


def test_the_users_own_request_is_handed_on() -> None:
    """If the endpoint has a Request, the handler gets that very object, with all that it has cached."""
    mine = Request(http_scope())
    seen: list[Request] = []

    def handler(request: Request, exc: Exception) -> PlainTextResponse:
        seen.append(request)
        return PlainTextResponse("")

    ask(ShopClosed(), {ShopClosed: handler}, connection=mine)

    assert seen == [mine]


def test_an_exception_of_the_handler_comes_out_with_its_context() -> None:
    """The outer circle may know an answer to it, as where a handler turns its exception into an HTTPException."""

    def handler(request: Request, exc: Exception) -> None:
        raise HTTPException(404)

    with pytest.raises(HTTPException):
        ask(ShopClosed(), {ShopClosed: handler})


def test_a_websocket_handler_gets_the_websocket() -> None:
    """It answers by itself: by closing."""

    async def handler(websocket: WebSocket, exc: Exception) -> None:
        await websocket.close(code=4001)

    scope = {"type": "websocket", "path": "/", "headers": []}

    assert ask(ShopClosed(), {ShopClosed: handler}, scope=scope).messages == [
        {"type": "websocket.close", "code": 4001, "reason": ""}
    ]


def test_a_websocket_exception_closes_by_default() -> None:
    """With the code and reason that it names."""
    scope = {"type": "websocket", "path": "/", "headers": []}

    sent = ask(WebSocketException(code=1008, reason="no"), {}, scope=scope).messages

    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "no"}]


def test_500_and_exception_are_the_outer_circles() -> None:
    """So `raise HTTPException(500)` is still an HTTPException and goes to its class."""
    handlers = {500: told("500"), Exception: told("all"), HTTPException: told("http")}

    with pytest.raises(ShopClosed):
        ask(ShopClosed(), handlers)
    assert b'"by":"http"' in ask(HTTPException(500), handlers).body
    server_error = Guard.of(handlers).server_error
    assert server_error is not None
    assert b"all" in server_error(None, ShopClosed()).body


def test_something_else_than_a_class_or_a_status_is_refused() -> None:
    """The mistake is named when the application is put together."""
    with pytest.raises((AssertionError, TypeError)):
        Guard.of({str: told("?")})


@pytest.mark.parametrize("case", CASES)
def test_the_bare_functions_answer_as_the_layers_do(case: str) -> None:
    """Without user middleware the app calls `answer` and `crash` from one `try`; `answer` leaves word in between."""
    guard = Guard.of(HANDLED)

    async def generated(scope: Any, receive: Any, send: Any) -> None:
        started = False
        try:
            if case.endswith("late"):
                started = True
            await CASES[case](scope, receive, send)
        except Exception as exc:
            await answer(exc, scope, receive, send, started=started)

    async def flat(scope: Any, receive: Any, send: Any) -> None:
        scope[HANDLERS] = guard.pair
        try:
            try:
                await generated(scope, receive, send)
            except Exception as exc:
                await answer(exc, scope, receive, send)
        except Exception as exc:
            await crash(exc, scope, receive, send)

    sent, exc = run(flat)
    expected, expected_exc = run(ServerErrorMiddleware(ExceptionMiddleware(CASES[case], handlers=HANDLED)))

    assert sent == expected
    assert repr(exc) == repr(expected_exc)


def test_an_answer_that_breaks_off_is_not_answered_twice() -> None:
    """A handler's stream fails after its start: the outer circle must not start a second response."""

    async def pieces() -> Any:
        yield b"half"
        raise OSError("disk")

    async def handler(request: Request, exc: Exception) -> StreamingResponse:
        return StreamingResponse(pieces())

    scope = http_scope(asgi={"spec_version": "2.3"})
    scope[HANDLERS] = Guard.of({ShopClosed: handler}).pair

    async def flat(scope: Any, receive: Any, send: Any) -> None:
        try:
            await answer(ShopClosed(), scope, receive, send, started=False)
        except Exception as exc:
            await crash(exc, scope, receive, send)

    async def quiet() -> Message:
        await anyio.sleep_forever()
        return {}

    sink = Sink()

    async def main() -> None:
        with pytest.raises(OSError, match="disk"):
            await flat(scope, quiet, sink)

    anyio.run(main)

    assert [message["type"] for message in sink.messages].count("http.response.start") == 1
    assert scope[RESPONSE_STARTED] is True


def test_a_layer_that_counts_itself_is_believed() -> None:
    """A middleware may have held back the inner response: then the word left in the scope is not the truth."""
    scope = http_scope(**{RESPONSE_STARTED: True})
    sink = Sink()

    async def main() -> None:
        with pytest.raises(ShopClosed):
            await crash(ShopClosed(), scope, receive, sink, started=False)

    anyio.run(main)

    assert sink.status == 500


def test_a_crash_of_a_websocket_is_only_raised() -> None:
    """Starlette leaves the closing to the server; so do we."""
    sink = Sink()

    async def main() -> None:
        with pytest.raises(ShopClosed):
            await crash(ShopClosed(), {"type": "websocket"}, receive, sink)

    anyio.run(main)

    assert sink.messages == []
