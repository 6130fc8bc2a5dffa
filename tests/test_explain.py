"""`slipstream.explain`: what an application serves, and what each operation was compiled to."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from slipstream import APIRouter, Depends, FastAPI, Header, WebSocket
from slipstream.explain import dump, explain
from slipstream.routing import APIRoute
from slipstream.staticfiles import StaticFiles


class Item(BaseModel):
    name: str
    price: float | None = None


class Timed(APIRoute):
    def get_route_handler(self) -> Callable[..., Any]:
        return super().get_route_handler()


async def connection() -> AsyncIterator[str]:
    yield "open"


async def user(x_token: Annotated[str, Header()], connection: Annotated[str, Depends(connection)]) -> str:
    return x_token + connection


async def fake_user() -> str:
    return "Alice"


async def read_item(item_id: int, limit: int = 10) -> None: ...
async def read_me() -> None: ...
async def create_item(item: Item, user: Annotated[str, Depends(user)]) -> Item:
    return item


def remove_item(item_id: str) -> None: ...
async def chat(websocket: WebSocket, room: str) -> None: ...
async def timed() -> None: ...


@pytest.fixture
def app() -> FastAPI:
    """An application with each kind of route."""
    shop = APIRouter(prefix="/shop")
    shop.get("/items/me")(read_me)
    shop.get("/items/{item_id:int}")(read_item)
    shop.post("/items", status_code=201, response_model_exclude_none=True)(create_item)
    shop.delete("/items/{item_id}")(remove_item)
    shop.websocket("/rooms/{room}")(chat)
    inner = FastAPI(openapi_url=None)
    inner.get("/timed")(timed)
    app = FastAPI(openapi_url=None)
    app.include_router(shop, prefix="/v1")
    app.add_api_route("/timed", timed, methods=["GET", "HEAD"], route_class_override=Timed)  # type: ignore[call-arg]
    app.mount("/inner", inner)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent))
    return app


def test_without_an_operation_every_route_is_listed_where_it_is_served(app: FastAPI) -> None:
    """The list is where a reader starts; prefixes of routers and mounts belong to a path."""
    rows = [line.split() for line in explain(app).splitlines()]

    assert [row[:2] for row in rows] == [
        ["GET", "/v1/shop/items/me"],
        ["GET", "/v1/shop/items/{item_id:int}"],
        ["POST", "/v1/shop/items"],
        ["DELETE", "/v1/shop/items/{item_id}"],
        ["WS", "/v1/shop/rooms/{room}"],
        ["GET,HEAD", "/timed"],
        ["MOUNT", "/inner"],
        ["GET", "/inner/timed"],
        ["MOUNT", "/static"],
    ]


def test_a_listed_route_says_how_and_where_its_endpoint_is_written(app: FastAPI) -> None:
    """The next thing a reader does is to open that file."""
    line = next(line for line in explain(app).splitlines() if line.startswith("DELETE"))

    assert "in a thread" in line
    assert f"test_explain.py:{remove_item.__code__.co_firstlineno})" in line


def test_an_application_without_routes_says_so() -> None:
    """An empty answer would look like a fault."""
    assert explain(FastAPI(openapi_url=None)) == "no routes\n"


def test_an_operation_is_told_as_its_plan_and_then_its_source(app: FastAPI) -> None:
    """Both windows on one route: what is done for a request, and the text that does it."""
    told = explain(app, "POST /v1/shop/items")

    plan, _, rest = told.partition("\nsource ")
    source, _, names = rest.partition("\nnames in it\n")
    assert plan.startswith("POST /v1/shop/items\n\nbody, read first\n  JSON: the whole document is the parameter")
    assert '    x_token = header "x-token": str, required\n    connection = what connection gives\n' in plan
    assert "response\n  201 application/json" in plan
    assert "  checked against Item, exclude_none=True\n" in plan
    assert plan.endswith("clean-up\n  after the response is sent: connection\n")
    assert re.match(
        r"<slipstream POST /v1/shop/items -> [\w.]+, asgi>\n\nasync def handle\(scope, receive, send\):\n", source
    )
    assert "  find_header " in names
    assert "slipstream._engine.runtime.values.find_header\n" in names


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("GET /v1/shop/items/{item_id:int}", "GET /v1/shop/items/{item_id:int}"),
        ("GET /v1/shop/items/{item_id}", "GET /v1/shop/items/{item_id:int}"),
        ("get /v1/shop/items/3", "GET /v1/shop/items/{item_id:int}"),
        (" GET  /v1/shop/items/3?limit=1 ", "GET /v1/shop/items/{item_id:int}"),
        ("GET /v1/shop/items/me", "GET /v1/shop/items/me"),
        ("WS /v1/shop/rooms/{room}", "WS /v1/shop/rooms/{room}"),
        ("ws /v1/shop/rooms/blue", "WS /v1/shop/rooms/{room}"),
        ("HEAD /timed", "GET,HEAD /timed"),
        ("GET /inner/timed", "GET /inner/timed"),
    ],
)
def test_an_operation_is_found_by_its_path_or_by_one_that_it_serves(app: FastAPI, asked: str, answered: str) -> None:
    """A path from an access log is as good a question as one from the source."""
    assert explain(app, asked).splitlines()[0] == answered


def test_an_override_that_holds_is_what_is_explained(app: FastAPI) -> None:
    """What is shown is what the next request will run."""
    app.dependency_overrides[user] = fake_user

    told = explain(app, "POST /v1/shop/items")

    assert "async, overrides user\n" in told
    assert "await fake_user()" in told


def test_a_route_class_that_wraps_is_named_and_its_own_dialect_shown(app: FastAPI) -> None:
    """Such a route is called with a Request: the ASGI text would be a text that never runs."""
    told = explain(app, "GET /timed")

    assert "route class\n  Timed: " in told
    assert "async def handle(request):" in told


def test_what_is_not_compiled_says_so(app: FastAPI) -> None:
    """A mount has no source; that is an answer too."""
    assert explain(app, "MOUNT /static").endswith("Mount, served as it is: nothing was generated for it\n")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("POST /timed", "there is no operation POST /timed\n  there is: GET /timed\n            HEAD /timed"),
        ("GET /v1/shop/item", "there is no operation GET /v1/shop/item\n  there is: POST /v1/shop/items"),
        ("GET /zzzz", "there is no operation GET /zzzz, nor one that looks like it; without an operation, all are"),
        ("items", "an operation is a method and a path, such as GET /items, and not 'items'"),
    ],
)  # fmt: skip
def test_an_unknown_operation_names_what_looks_like_it(app: FastAPI, asked: str, said: str) -> None:
    """Most unknown operations are a slip of the finger or the wrong method."""
    with pytest.raises(LookupError) as caught:
        explain(app, asked)

    assert caught.value.args[0].startswith(said)


def test_a_dump_has_a_file_for_each_compiled_operation_and_an_index(app: FastAPI, tmp_path: Path) -> None:
    """All of the program's generated text, to search and to compare between two versions."""
    folder = tmp_path / "generated" / "code"

    written = dump(app, folder)

    assert [path.name for path in written] == [
        "INDEX.txt",
        "get_v1_shop_items_me.py",
        "get_v1_shop_items_item_id_int.py",
        "post_v1_shop_items.py",
        "delete_v1_shop_items_item_id.py",
        "ws_v1_shop_rooms_room.py",
        "get_head_timed.py",
        "get_inner_timed.py",
    ]
    assert sorted(folder.iterdir()) == sorted(written)
    index = (folder / "INDEX.txt").read_text().splitlines()
    assert index[2].split()[:3] == ["post_v1_shop_items.py", "POST", "/v1/shop/items"]


def test_a_dumped_file_is_python_headed_by_its_plan(app: FastAPI, tmp_path: Path) -> None:
    """Editors and linters can open it."""
    dump(app, tmp_path)

    text = (tmp_path / "post_v1_shop_items.py").read_text()
    compile(text, "post_v1_shop_items.py", "exec")
    assert text.startswith("# POST /v1/shop/items\n#\n# body, read first\n")


def test_dumps_of_one_program_are_equal(app: FastAPI, tmp_path: Path) -> None:
    """Nothing in a name or a text depends on the process, so a diff shows what a change did."""
    first = {path.name: path.read_bytes() for path in dump(app, tmp_path / "a")}
    second = {path.name: path.read_bytes() for path in dump(app, tmp_path / "b")}

    assert first == second


def test_operations_with_one_file_name_get_numbers(tmp_path: Path) -> None:
    """`/a-b` and `/a_b` are two routes, and some file systems know no capitals."""
    app = FastAPI(openapi_url=None)
    for path in ("/a-b", "/a_b", "/A/b"):
        app.get(path)(read_me)

    assert [path.name for path in dump(app, tmp_path)] == ["INDEX.txt", "get_a_b.py", "get_a_b_2.py", "get_a_b_3.py"]
