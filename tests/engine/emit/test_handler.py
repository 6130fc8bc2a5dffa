"""What stands around the steps: what is open when, and who hears of an exception."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest

from slipstream import APIRouter, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from slipstream.exceptions import RequestValidationError
from slipstream.responses import PlainTextResponse
from slipstream.routing import APIRoute
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]


class Wrapped(APIRoute):
    """Puts a function around the compiled one, and so has it in the Request dialect."""

    def get_route_handler(self) -> Callable[..., Any]:
        return super().get_route_handler()


class Log(list[str]):
    def dependency(self, name: str, **catch: Any) -> Any:
        """Make a `yield` dependency that logs when it is opened, closed, and what it sees."""

        async def opened() -> AsyncIterator[str]:
            self.append(f"{name} opened")
            try:
                yield name
            except Exception as exc:
                self.append(f"{name} saw {type(exc).__name__}")
                raise
            finally:
                self.append(f"{name} closed")

        return opened


@pytest.fixture
def log() -> Log:
    return Log()


def served(endpoint: Any, log: Log, route_class: type[APIRoute]) -> TestClient:
    """Serve an endpoint; the log also says when the response begins."""
    app = FastAPI(openapi_url=None)
    router = APIRouter(route_class=route_class)
    router.get("/")(endpoint)
    app.include_router(router)

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        async def noting_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                log.append("response")
            await send(message)

        await app(scope, receive, noting_send)

    return TestClient(noting, raise_server_exceptions=False)


both = pytest.mark.parametrize("route_class", [APIRoute, Wrapped], ids=["asgi", "request"])


@both
def test_dependencies_close_when_their_scope_says(log: Log, route_class: type[APIRoute]) -> None:
    """Scope "function" before the response, "request" after it; last opened first."""
    outer, inner = log.dependency("request"), log.dependency("function")

    async def endpoint(a: Annotated[str, Depends(outer)], b: Annotated[str, Depends(inner, scope="function")]) -> None:
        log.append("endpoint")

    served(endpoint, log, route_class).get("/")

    assert log == [
        "request opened", "function opened", "endpoint", "function closed", "response", "request closed",
    ]  # fmt: skip


@both
def test_everything_open_hears_of_an_exception_before_it_is_answered(log: Log, route_class: type[APIRoute]) -> None:
    """A transaction must be rolled back before the client reads of the failure."""
    outer, inner = log.dependency("request"), log.dependency("function")

    async def endpoint(a: Annotated[str, Depends(outer)], b: Annotated[str, Depends(inner, scope="function")]) -> None:
        raise HTTPException(418)

    response = served(endpoint, log, route_class).get("/")

    assert response.status_code == 418
    assert log == [
        "request opened", "function opened", "function saw HTTPException", "function closed",
        "request saw HTTPException", "request closed", "response",
    ]  # fmt: skip


@both
def test_errors_in_the_request_are_exceptions_too(log: Log, route_class: type[APIRoute]) -> None:
    """What was opened before is closed, and told."""

    async def endpoint(a: Annotated[str, Depends(log.dependency("one"))], limit: int) -> None: ...

    response = served(endpoint, log, route_class).get("/?limit=x")

    assert response.status_code == 422
    assert log == ["one opened", "one saw RequestValidationError", "one closed", "response"]


@both
def test_a_dependency_may_answer_with_another_exception(route_class: type[APIRoute]) -> None:
    """The usual way to turn a database's errors into HTTP's."""

    async def translating() -> AsyncIterator[None]:
        try:
            yield
        except LookupError as exc:
            raise HTTPException(404, "translated") from exc

    async def endpoint(a: Annotated[None, Depends(translating)]) -> None:
        raise LookupError

    response = served(endpoint, Log(), route_class).get("/")

    assert (response.status_code, response.json()) == (404, {"detail": "translated"})


@both
def test_a_dependency_must_not_keep_an_exception_to_itself(route_class: type[APIRoute]) -> None:
    """There would be nothing to answer with."""

    async def swallowing() -> AsyncIterator[None]:
        try:
            yield
        except LookupError:
            pass

    async def endpoint(a: Annotated[None, Depends(swallowing)]) -> None:
        raise LookupError

    assert served(endpoint, Log(), route_class).get("/").status_code == 500


def test_a_failure_after_the_response_changes_nothing_for_the_client(serve: Serve) -> None:
    """It has its answer; the log has the exception."""

    async def failing() -> AsyncIterator[None]:
        yield
        raise LookupError

    async def endpoint(a: Annotated[None, Depends(failing)]) -> str:
        return "a"

    response = serve(endpoint).post("/")

    assert (response.status_code, response.json()) == (200, "a")


def test_a_handler_for_refused_requests_gets_what_was_sent() -> None:
    """The body as it was parsed, and a Request whose body can still be read."""
    app = FastAPI(openapi_url=None)

    @app.exception_handler(RequestValidationError)
    async def handle(request: Request, exc: RequestValidationError) -> Response:
        return PlainTextResponse(f"{exc.body} {(await request.body()).decode()}")

    @app.post("/")
    async def endpoint(item: dict[str, int]) -> None: ...

    assert TestClient(app).post("/", json={"a": "x"}).text == "{'a': 'x'} {\"a\":\"x\"}"


def test_dependencies_of_a_websocket_are_open_until_it_ends(log: Log, serve: Serve) -> None:
    """However it ends."""

    async def endpoint(
        websocket: WebSocket, a: Annotated[str, Depends(log.dependency("one"))], fail: bool = False
    ) -> None:
        await websocket.accept()
        await websocket.send_text(a)
        await websocket.receive_text()
        log.append("said")

    client = serve(endpoint, method="websocket")
    with client.websocket_connect("/") as connection:
        assert connection.receive_text() == "one"
        connection.send_text("bye")

    assert log == ["one opened", "said", "one closed"]


def test_an_endpoint_may_be_called_what_the_generated_function_is(serve: Serve) -> None:
    """It was once called for ever by itself."""

    async def handle() -> str:
        return "mine"

    assert serve(handle).post("/").json() == "mine"
