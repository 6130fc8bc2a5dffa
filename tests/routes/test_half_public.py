"""Half-public functions of routing that packages call, wrap or replace."""

from typing import Any

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette

from slipstream import FastAPI, routing
from slipstream.exceptions import ResponseValidationError
from slipstream.testclient import TestClient

pytestmark = pytest.mark.anyio


class Item(BaseModel):
    name: str
    price: float | None = None


def test_a_function_in_place_of_get_request_handler_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry wraps it, to put the endpoint's name and the request into its reports, and wraps sync endpoints."""
    seen: list[str] = []
    original = routing.get_request_handler

    def patched(*args: Any, **kwargs: Any) -> Any:
        dependant = kwargs["dependant"]
        call = dependant.call

        def watched(**values: Any) -> Any:
            seen.append("endpoint")
            return call(**values)

        dependant.call = watched
        handler = original(*args, **kwargs)

        async def wrapped(request: Any) -> Any:
            seen.append(request.scope["route"].path)
            return await handler(request)

        return wrapped

    monkeypatch.setattr(routing, "get_request_handler", patched)
    app = FastAPI()

    @app.get("/items/{name}")
    def read_item(name: str) -> str:
        return name

    assert TestClient(app).get("/items/a").json() == "a"
    assert seen == ["/items/{name}", "endpoint"]


@pytest.mark.parametrize("is_coroutine", [True, False])
async def test_a_result_is_checked_and_written_by_hand(is_coroutine: bool) -> None:
    """fastapi-jsonrpc answers many calls in one response."""
    app = FastAPI()
    app.get("/", response_model=Item)(lambda: None)
    field = app.routes[-1].response_field  # type: ignore[attr-defined]  # an APIRoute

    async def serialize(content: Any, **options: Any) -> Any:
        return await routing.serialize_response(
            field=field, response_content=content, is_coroutine=is_coroutine, **options
        )

    assert await serialize({"name": "a"}, exclude_none=True) == {"name": "a"}
    assert await serialize(Item(name="a"), dump_json=True) == b'{"name":"a","price":null}'
    with pytest.raises(ResponseValidationError):
        await serialize({})
    assert await routing.serialize_response(response_content={1: Item(name="a")}) == {1: {"name": "a", "price": None}}


def test_event_handlers_run_within_a_lifespan_put_around_them() -> None:
    """fastapi-jsonrpc composes lifespans, and keeps `on_event` working."""
    log: list[str] = []
    router = routing.APIRouter(on_startup=[lambda: log.append("up")], on_shutdown=[lambda: log.append("down")])

    with TestClient(FastAPI(lifespan=routing._DefaultLifespan(router))):
        assert log == ["up"]

    assert log == ["up", "down"]


def test_a_function_in_place_of_starlettes_own_call_sees_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry puts itself there; requests must not go round it because they need no Starlette."""
    seen: list[str] = []
    own = Starlette.__call__

    async def watched(self: Any, scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await own(self, scope, receive, send)

    monkeypatch.setattr(Starlette, "__call__", watched)
    app = FastAPI()
    app.get("/a")(lambda: "a")

    assert TestClient(app).get("/a").json() == "a"
    assert seen == ["/a"]


@pytest.mark.parametrize("make", [FastAPI, routing.APIRouter])
def test_the_warning_about_on_event_begins_as_fastapis(make: Any) -> None:
    """Programs that keep using it silence the warning by its words."""
    with pytest.warns(DeprecationWarning, match="^on_event is deprecated, use lifespan event handlers instead"):
        make().on_event("startup")
