"""The text that reads the body and gives its parts to their parameters."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel

from slipstream import Body, Depends, File, Form, Header, HTTPException, UploadFile, WebSocket
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]


class Item(BaseModel):
    name: str
    price: float = 0


def details(response: Any) -> list[tuple[str, list[Any]]]:
    assert response.status_code == 422
    return [(error["type"], error["loc"]) for error in response.json()["detail"]]


def test_a_whole_body_is_validated_whichever_way_it_is_read(serve: Serve) -> None:
    """From its bytes, or parsed first where the two could differ: same values, same errors."""

    async def fast(item: Item) -> Item:
        return item

    async def careful(pause: Annotated[timedelta, Body()]) -> float:
        return pause.total_seconds()

    first, second = serve(fast), serve(careful)
    assert first.post("/", json={"name": "a"}).json() == {"name": "a", "price": 0}
    assert details(first.post("/", json={"price": "x"})) == [
        ("missing", ["body", "name"]),
        ("float_parsing", ["body", "price"]),
    ]
    assert details(first.post("/", json=[])) == [("model_attributes_type", ["body"])]
    assert second.post("/", json=1.5).json() == 1.5
    assert details(second.post("/", json="x")) == [("time_delta_parsing", ["body"])]
    for client in (first, second):
        assert details(client.post("/")) == [("missing", ["body"])]
        assert details(client.post("/", content="{", headers={"content-type": "application/json"})) == [
            ("json_invalid", ["body", 1])
        ]


def test_a_body_under_another_type_is_not_json(serve: Serve) -> None:
    """A page elsewhere can send text/plain without asking."""

    async def endpoint(item: Item) -> Item:
        return item

    response = serve(endpoint).post("/", content='{"name": "a"}', headers={"content-type": "text/plain"})

    assert details(response) == [("model_attributes_type", ["body"])]


def test_errors_of_the_body_come_after_the_others_and_it_is_shown_with_them(serve: Serve) -> None:
    """Whether or not it was itself at fault."""

    async def endpoint(item_id: int, item: Item) -> None: ...

    client = serve(endpoint, "/{item_id}")
    assert details(client.post("/x", json={"price": 1})) == [
        ("int_parsing", ["path", "item_id"]),
        ("missing", ["body", "name"]),
    ]
    assert details(client.post("/x", json={"name": "a"})) == [("int_parsing", ["path", "item_id"])]


def test_a_body_that_is_no_json_is_told_before_any_dependency_runs(serve: Serve) -> None:
    """As in FastAPI: a broken document is refused at once."""
    ran = []

    async def dependency() -> None:
        ran.append(True)

    async def endpoint(item: Item, value: Annotated[None, Depends(dependency)]) -> None: ...

    client = serve(endpoint)
    client.post("/", content="{", headers={"content-type": "application/json"})
    assert ran == []
    client.post("/", json={})
    assert ran == [True]


def test_several_parameters_are_keys_of_one_document(serve: Serve) -> None:
    """Those of dependencies among them; defaults where a key is missing."""

    async def dependency(user: Annotated[Item, Body()]) -> str:
        return user.name

    async def endpoint(
        item: Item, who: Annotated[str, Depends(dependency)], count: Annotated[int, Body()] = 1
    ) -> list[Any]:
        return [item.name, who, count]

    client = serve(endpoint)
    assert client.post("/", json={"item": {"name": "a"}, "user": {"name": "b"}}).json() == ["a", "b", 1]
    assert details(client.post("/", json={"item": {"name": "a"}})) == [("missing", ["body", "user"])]


def test_null_is_a_value_of_an_optional_body(serve: Serve) -> None:
    """And no body is its default."""

    async def endpoint(item: Item | None = Body(Item(name="default"))) -> Item | None:
        return item

    client = serve(endpoint)
    assert client.post("/", json=None, headers={"content-type": "application/json"}, content="null").json() is None
    assert client.post("/").json() == {"name": "default", "price": 0}


def test_a_form_is_read_with_its_files(serve: Serve) -> None:
    """Values, files, and what is missing, told together."""

    async def endpoint(
        name: Annotated[str, Form()],
        photo: UploadFile,
        raw: Annotated[bytes, File()],
        x_a: Annotated[int, Header()] = 0,
    ) -> list[Any]:
        return [name, photo.filename, raw.decode()]

    client = serve(endpoint)
    response = client.post("/", data={"name": "a"}, files={"photo": ("p.png", b"1"), "raw": ("r", b"2")})

    assert response.json() == ["a", "p.png", "2"]
    assert details(client.post("/", data={"name": "a"}, headers={"x-a": "x"})) == [
        ("int_parsing", ["header", "x-a"]), ("missing", ["body", "photo"]), ("missing", ["body", "raw"]),
    ]  # fmt: skip


def test_files_of_a_form_are_closed_after_the_response(serve: Serve) -> None:
    """Whether the endpoint succeeds or fails."""
    files = []

    async def endpoint(photo: UploadFile, fail: bool = False) -> None:
        files.append(photo)
        if fail:
            raise HTTPException(418)

    client = serve(endpoint)
    client.post("/", files={"photo": b"1"})
    client.post("/?fail=1", files={"photo": b"1"})

    assert [photo.file.closed for photo in files] == [True, True]


def test_a_websocket_has_no_body(serve: Serve) -> None:
    """Its parameters have their defaults; without one, the handshake is refused."""

    async def endpoint(websocket: WebSocket, item: Item | None = None) -> None:
        await websocket.accept()
        await websocket.send_json(item)

    with serve(endpoint, method="websocket").websocket_connect("/") as connection:
        assert connection.receive_json() is None
