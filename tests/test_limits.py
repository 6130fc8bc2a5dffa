"""Strictness as one choice: what each field does, at every level, by both doors."""

import json
import tracemalloc
from contextlib import suppress
from dataclasses import fields
from typing import Annotated, Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from slipstream import (
    COMPATIBLE,
    INTERNET,
    APIRouter,
    Body,
    Depends,
    FastAPI,
    File,
    Form,
    Limits,
    Request,
    Response,
    UploadFile,
    WebSocket,
)
from slipstream._engine.runtime.values import MOST_ERRORS, located
from slipstream.limits import UNLIMITED, VARIABLE, form_options, of_forms

JSON = (b"content-type", b"application/json")


class Price(BaseModel):
    amount: float
    tags: list[str] = []


class Bag(BaseModel):
    content: Any = None


class Tree(BaseModel):
    kids: list["Tree"] = []


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    amount: float = 0


def price(price: Price) -> Price:
    return price


def bag(bag: Bag) -> Bag:
    return bag


def tree(tree: Tree) -> Tree:
    return tree


def opened(opened: Open) -> Open:
    return opened


def two(price: Price, factor: Annotated[float, Body()] = 1) -> list[Any]:
    return [price, factor]


def nothing() -> str:
    return "nothing"


async def read(request: Request) -> int:
    return len(await request.body())


def filled(fields: Annotated[list[str], Form()] = [], files: Annotated[list[UploadFile], File()] = []) -> int:  # noqa: B006 - as users write it
    return len(fields) + len(files)


class Door:
    """Both doors of an application: every request goes through both, and must be answered alike."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def ask(self, path: str, body: bytes, headers: Any = (JSON,), method: str = "POST") -> tuple[int, Any, bytes]:
        """Send a request by each door; return status, headers by name, and body."""
        asgi = await self._ask(path, body, headers, method, is_direct=False)
        direct = await self._ask(path, body, headers, method, is_direct=True)
        assert asgi[0] == direct[0]
        assert asgi[2] == direct[2] or asgi[0] == 413
        return asgi

    async def _ask(
        self, path: str, body: bytes, headers: Any, method: str, *, is_direct: bool
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": None,
            "server": ("test", 80), "headers": [(b"host", b"test"), *headers],
        }  # fmt: skip
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return parts.pop() if parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        def reply(status: int, headers: Any, content: bytes, is_complete: bool = False) -> bool:
            sent.append({"status": status, "headers": headers})
            sent.append({"body": content})
            return True

        if is_direct:
            await self.app.serve_direct(scope, receive, send, body, reply)
        else:
            await self.app(scope, receive, send)
        start, *rest = sent
        return start["status"], dict(start["headers"]), b"".join(part.get("body", b"") for part in rest)


class Through:
    """Middleware that does nothing."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def built(**options: Any) -> FastAPI:
    """Make an application of every kind of body."""
    app = FastAPI(**options)
    for endpoint in (price, bag, tree, opened, two, read, filled):
        app.post(f"/{endpoint.__name__}")(endpoint)
    app.get("/nothing")(nothing)
    return app


HOLES = {
    "NaN": ("/price", b'{"amount": NaN}'),
    "-Infinity": ("/price", b'{"amount": -Infinity}'),
    "1e400": ("/price", b'{"amount": 1e400}'),
    "1E+0400": ("/price", b'{"amount": 1E+0400}'),
    "309 digits": ("/price", b'{"amount": ' + b"9" * 309 + b".0}"),
    "in Any": ("/bag", b'{"content": [1, {"a": NaN}]}'),
    "1e400 in Any": ("/bag", b'{"content": 1e400}'),
    "many digits in Any": ("/bag", b'{"content": ' + b"1" * 250 + b"e99}"),
    "in an extra key": ("/opened", b'{"other": NaN}'),
    "in one of two": ("/two", b'{"price": {"amount": 1}, "factor": Infinity}'),
    "half a pair": ("/bag", rb'{"content": "\ud800"}'),
    "half a pair in a key": ("/bag", rb'{"content": {"\uDFFF": 1}}'),
    "65 levels": ("/bag", b'{"content": ' + b"[" * 64 + b"]" * 64 + b"}"),
    "65 levels of models": ("/tree", b'{"kids": [' * 33 + b"]}" * 33),
}


@pytest.mark.anyio
@pytest.mark.parametrize("hole", HOLES)
async def test_json_that_is_none_is_refused_on_the_internet(hole: str) -> None:
    """Each has made a 500 of a 422 somewhere, or a number that no other program reads."""
    path, body = HOLES[hole]

    status, _, answer = await Door(built(limits=INTERNET)).ask(path, body)

    assert (status, json.loads(answer)["detail"][0]["type"]) == (422, "json_invalid")


HALVES = [
    rb'{"content": "\ud800"}',
    b'{"content": {"\xed\xa0\x80": 1}}',
    '{"content": "\ud800"}'.encode("utf-16", "surrogatepass"),
]


@pytest.mark.anyio
@pytest.mark.parametrize("limits", [INTERNET, COMPATIBLE], ids=["internet", "compatible"])
@pytest.mark.parametrize("body", HALVES, ids=["escape", "UTF-8", "UTF-16"])
async def test_half_a_surrogate_pair_is_let_in_nowhere(limits: Limits, body: bytes) -> None:
    """FastAPI lets it in, and answers 500 when a result has it."""
    status, _, answer = await Door(built(limits=limits)).ask("/bag", body)

    assert (status, json.loads(answer)["detail"][0]["ctx"]) == (422, {"error": "Half a surrogate pair"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/price", b'{"amount": 1e40, "tags": ["NaN", "Infinity", "1e400"]}'),
        ("/bag", b'{"content": ["NaN", "Infinity", "1e400", ' + b"1" * 250 + b"]}"),
        ("/bag", rb'{"content": "\ud83d\ude00"}'),
        ("/bag", b'{"content": ' + b"[" * 63 + b"]" * 63 + b"}"),
        ("/bag", b'{"content": [' + b"[],{}," * 200 + b'"[["]}'),
        ("/tree", b'{"kids": [' * 32 + b"]}" * 32),
        ("/opened", b'{"amount": 3, "other": "Infinity"}'),
    ],
)  # fmt: skip
async def test_what_only_looks_so_is_read_as_ever(path: str, body: bytes) -> None:
    """Strings may say what they like."""
    strict, compatible = [await Door(built(limits=limits)).ask(path, body) for limits in (INTERNET, COMPATIBLE)]

    assert strict[0] == compatible[0] == 200
    assert strict[2] == compatible[2]


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)
BODY = (
    st.binary(max_size=60)
    | VALUE.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({}, optional=dict.fromkeys(("amount", "tags", "content", "kids", "price", "factor"), VALUE))
    .map(lambda value: json.dumps(value).encode())
    | st.integers(1, 1200).map(lambda depth: b'{"content":' + b"[" * depth + b"]" * depth + b"}")
    | st.integers(1, 1200).map(lambda depth: b'{"kids":[' * depth + b"]}" * depth)
)  # fmt: skip
PATHS = ["/price", "/bag", "/tree", "/opened", "/two", "/read", "/filled"]
DOORS = {name: Door(built(limits=limits)) for name, limits in {"internet": INTERNET, "compatible": COMPATIBLE}.items()}
TYPES = [b"application/json", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x"]


@pytest.mark.parametrize("name", DOORS)
@settings(deadline=None, max_examples=150)
@given(path=st.sampled_from(PATHS), body=BODY, content_type=st.sampled_from(TYPES))
def test_whatever_bytes_come_the_answer_is_json_and_no_5xx(
    name: str, path: str, body: bytes, content_type: bytes
) -> None:
    """A server's log shows the server's faults, not its clients'."""
    import anyio

    status, _, answer = anyio.run(DOORS[name].ask, path, body, [(b"content-type", content_type)])

    assert 200 <= status < 500
    json.loads(answer, parse_constant=pytest.fail)


@pytest.mark.anyio
@pytest.mark.parametrize("path", PATHS)
async def test_a_body_beyond_its_size_is_a_413(path: str) -> None:
    """Whoever reads it: the text, the form's parser, the endpoint."""
    door = Door(built(limits=Limits(body_size=40)))

    headers = MANY if path == "/filled" else (JSON,)

    assert [(await door.ask(path, b" " * size, headers))[0] == 413 for size in (40, 41)] == [False, True]
    assert (await door.ask("/nothing", b"", method="GET"))[0] == 200


@pytest.mark.anyio
async def test_json_has_a_size_of_its_own() -> None:
    """Other bodies of the same routes may be larger."""
    door = Door(built(limits=Limits(json_size=40)))
    text = [(b"content-type", b"text/plain")]

    assert [(await door.ask(path, b" " * 41))[0] for path in ("/price", "/two")] == [413, 413]
    assert (await door.ask("/two", b" " * 41, text))[0] == 422
    assert (await door.ask("/read", b" " * 41))[0] == 200


@pytest.mark.anyio
@pytest.mark.parametrize("middleware", [[], [Middleware(Through)]])
async def test_the_size_of_json_holds_for_applications_of_others(middleware: Any) -> None:
    """They read the Request by themselves; what says that it is JSON is counted, at the level that mounts them."""
    app = FastAPI(limits=Limits(json_size=40), middleware=middleware)
    other = Starlette(routes=[Route("/x", json_length, methods=["POST"])])
    app.mount("/mounted", other)
    app.router.routes.append(Route("/plain", json_length, methods=["POST"]))
    router = APIRouter()
    router.routes.append(Route("/plain", json_length, methods=["POST"]))
    router.mount("/mounted", other)
    app.include_router(router, prefix="/in", limits=Limits(json_size=60))
    door = Door(app)

    for path, most in {"/mounted/x": 40, "/plain": 40, "/in/plain": 60, "/in/mounted/x": 60}.items():
        for kind in (b"application/json", b"application/problem+json; charset=utf-8"):
            sent = [(b"content-type", kind)]
            assert [(await door.ask(path, b" " * size, sent))[0] for size in (most, most + 1)] == [200, 413]
        assert (await door.ask(path, b" " * 61, [(b"content-type", b"text/plain")]))[0] == 200


async def json_length(request: Any) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def part(size: int) -> bytes:
    """Write a form with a file whose part has so many bytes of headers."""
    headers = b'Content-Disposition: form-data; name="files"; filename="a"\r\nX: '
    filling = b"x" * (size - len(headers) + len(b": " * 2 + b"\r\n"))
    return b"--b\r\n" + headers + filling + b"\r\n\r\nfile\r\n--b--\r\n"


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["compiled", "step by step"])
async def test_headers_of_a_forms_part_have_a_size(way: str) -> None:
    """A thousand files with 32 KiB of headers each stay in memory together."""
    app = FastAPI(limits=Limits(form_header_size=100))

    def looks() -> None:
        len(app.dependency_overrides)

    app.post("/form", dependencies=[Depends(looks)] if way == "step by step" else [])(filled)
    door, sent = Door(app), [(b"content-type", b"multipart/form-data; boundary=b")]

    assert [(await door.ask("/form", part(size), sent))[::2] for size in (100, 101)] == [
        (200, b"1"),
        (400, b'{"detail":"Too large headers. A part may have 100 bytes of them."}'),
    ]
    assert (await Door(built()).ask("/filled", part(4000), sent))[0] == 200
    assert [(await Door(built(limits=INTERNET)).ask("/filled", part(n), sent))[0] for n in (4096, 4097)] == [200, 400]


def small(app: FastAPI, level: str) -> tuple[str, FastAPI]:
    """Set a small size at a level; return the path of a route below it."""
    limits, router = Limits(body_size=6, form_fields=1, json_depth=2), APIRouter()
    of = {name: limits if name == level else None for name in ("router", "inclusion", "route")}
    router = APIRouter(limits=of["router"])
    for endpoint in (price, bag, read, filled):
        router.post(f"/{endpoint.__name__}", limits=of["route"])(endpoint)
    if level == "mounted":
        app = FastAPI(limits=limits)
        child, grandchild = FastAPI(), FastAPI()
        grandchild.include_router(router)
        child.mount("/b", grandchild)
        app.mount("/a", child)
        return "/a/b", app
    if level == "mounted in a router":
        outer, child = APIRouter(), FastAPI()
        child.include_router(router)
        outer.mount("/b", child)
        app.include_router(outer, prefix="/a", limits=limits)
        return "/a/b", app
    app.include_router(router, prefix="/in", limits=of["inclusion"])
    return "/in", app


LEVELS = ["app", "router", "inclusion", "route", "mounted", "mounted in a router"]
MANY = [(b"content-type", b"application/x-www-form-urlencoded")]


@pytest.mark.anyio
@pytest.mark.parametrize("level", LEVELS)
async def test_limits_hold_wherever_they_are_set(level: str) -> None:
    """Whoever moves a route from an application to another keeps what is set around it."""
    given = Limits(body_size=6, form_fields=1, json_depth=2) if level == "app" else None
    below, app = small(FastAPI(limits=given), level)
    door = Door(app)

    assert [(await door.ask(f"{below}/read", b"x" * size))[0] for size in (6, 7)] == [200, 413]
    assert [(await door.ask(f"{below}/price", b" " * size))[0] for size in (6, 7)] == [422, 413]
    assert [(await door.ask(f"{below}/filled", body, MANY))[0] for body in (b"a=1", b"a&b")] == [200, 400]
    answers = [json.loads((await door.ask(f"{below}/bag", body))[2])["detail"][0] for body in (b"[[1]]", b"[[[]]]")]
    assert [answer["type"] for answer in answers] == ["model_attributes_type", "json_invalid"]


@pytest.mark.anyio
async def test_the_innermost_level_that_sets_a_field_counts_in_either_spelling() -> None:
    """A route for uploads takes more than its application, and FastAPI's options say the same as ours."""
    app = FastAPI(limits=INTERNET | Limits(body_size=5), middleware=[Middleware(Through)])
    app.post("/more", limits=Limits(body_size=50))(read)
    app.post("/theirs", max_body_size=50)(read)
    app.post("/json", limits=Limits(body_size=50))(price)
    app.post("/none", limits=Limits(body_size=UNLIMITED))(read)
    app.post("/same")(read)
    router = APIRouter(max_body_size=3)
    router.post("/own", limits=Limits(body_size=20))(read)
    app.include_router(router)
    child = FastAPI(limits=Limits(body_size=50))
    child.post("/x")(read)
    app.mount("/child", child)
    door = Door(app)

    answers = {
        path: [(await door.ask(path, b" " * size))[0] for size in (5, 20, 50, 51)]
        for path in ("/more", "/theirs", "/json", "/none", "/same", "/own", "/child/x")
    }

    assert answers == {
        "/more": [200, 200, 200, 413],
        "/theirs": [200, 200, 200, 413],
        "/json": [422, 422, 422, 413],
        "/none": [200, 200, 200, 200],
        "/same": [200, 413, 413, 413],
        "/own": [200, 200, 413, 413],
        "/child/x": [200, 200, 200, 413],
    }


@pytest.mark.anyio
async def test_errors_and_their_echo_are_bounded_as_the_limits_say() -> None:
    """What a client sent may be nobody else's to read, and a thousand errors are no more help than ten."""
    door = Door(built(limits=Limits(errors=2, error_echo=0)))

    _, _, answer = await door.ask("/price", json.dumps({"amount": 1, "tags": [1, 2, 3]}).encode())

    assert [error["input"] for error in json.loads(answer)["detail"]] == ["…", "…"]


def with_cookie(response: Response) -> str:
    response.set_cookie("a", "b")
    return "injected"


def plain_cookie() -> Response:
    response = PlainTextResponse("own")
    response.set_cookie("a", "b", samesite="strict", secure=True)
    return response


async def fails() -> None:
    raise ValueError("no")


@pytest.mark.anyio
@pytest.mark.parametrize("middleware", [[], [Middleware(Through)]])
async def test_every_answer_lacks_nothing(middleware: Any) -> None:
    """JSON, a Response, an error, a 404 and a crash; what a program sets itself stays."""
    app = FastAPI(limits=INTERNET, middleware=middleware)
    for endpoint in (nothing, with_cookie, plain_cookie):
        app.get(f"/{endpoint.__name__}")(endpoint)
    app.get("/nobody/{number}")(lambda number: number)
    app.get("/scoped", dependencies=[Depends(with_cookie)])(nothing)
    app.add_route("/foreign", lambda request: PlainTextResponse("foreign", headers={"x-content-type-options": "own"}))
    app.get("/missing/{number}")(number)
    door = Door(app)
    seen = {
        path: (await door.ask(path, b"", method="GET"))[1]
        for path in ("/nothing", "/with_cookie", "/plain_cookie", "/scoped", "/foreign", "/lost", "/missing/x")
    }

    expected = {**dict.fromkeys(seen, b"nosniff"), "/foreign": b"own"}
    assert {path: headers[b"x-content-type-options"] for path, headers in seen.items()} == expected
    flags = b"a=b; Path=/; SameSite=lax; Secure; HttpOnly"
    assert seen["/with_cookie"][b"set-cookie"] == seen["/scoped"][b"set-cookie"] == flags
    assert seen["/plain_cookie"][b"set-cookie"] == b"a=b; Path=/; SameSite=strict; Secure; HttpOnly"


def number(number: int) -> int:
    return number


@pytest.mark.parametrize("middleware", [[], [Middleware(Through)]])
def test_a_crash_is_answered_with_nosniff_too(middleware: Any) -> None:
    """What a browser shows of it is text."""
    app = FastAPI(limits=INTERNET, middleware=middleware)
    app.get("/")(fails)

    answer = TestClient(app, raise_server_exceptions=False).get("/")

    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        await websocket.send_text(await websocket.receive_text())


def sockets(**options: Any) -> TestClient:
    app, router = FastAPI(**options), APIRouter()
    app.websocket("/own")(talk)
    app.add_websocket_route("/foreign", talk)
    router.websocket("/own")(talk)
    router.add_websocket_route("/foreign", talk)
    app.include_router(router, prefix="/in")
    return TestClient(app)


@pytest.mark.parametrize("path", ["/own", "/foreign", "/in/own", "/in/foreign"])
@pytest.mark.parametrize(
    ("origin", "cookie", "may"),
    [("http://testserver", "a=b", True), ("https://evil.example", "a=b", False), ("null", "a=b", False),
     ("https://evil.example", None, True), (None, "a=b", True), ("https://friend.example", "a=b", True)],
)  # fmt: skip
def test_a_page_of_others_opens_no_websocket_with_a_visitors_cookies(
    path: str, origin: str | None, cookie: str | None, may: bool
) -> None:
    """Browsers ask nobody before they open one, and send the cookies along."""
    client = sockets(limits=INTERNET | Limits(websocket_origins=("https://friend.example",)))
    headers = {name: value for name, value in {"origin": origin, "cookie": cookie}.items() if value is not None}

    if may:
        with client.websocket_connect(path, headers=headers) as socket:
            socket.send_text("x")
            assert socket.receive_text() == "x"
    else:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=headers):
            pass


@pytest.mark.parametrize("path", ["/in/own", "/in/foreign", "/child/own", "/child/foreign"])
@pytest.mark.parametrize("middleware", [[], [Middleware(Through)]])
def test_an_inner_level_may_let_more_origins_in(path: str, middleware: Any) -> None:
    """One socket for all pages, in an application that is else for its own."""
    all_pages = Limits(websocket_origins=("*",))
    app, router, child = FastAPI(limits=INTERNET, middleware=middleware), APIRouter(), FastAPI(limits=all_pages)
    for each in (router, child):
        each.websocket("/own")(talk)
        each.add_websocket_route("/foreign", talk)
    app.include_router(router, prefix="/in", limits=all_pages)
    app.mount("/child", child)

    headers = {"origin": "https://other.example", "cookie": "a=b"}
    with TestClient(app).websocket_connect(path, headers=headers) as socket:
        socket.send_text("x")
        assert socket.receive_text() == "x"


@pytest.mark.parametrize("path", ["/own", "/foreign", "/in/own", "/in/foreign"])
def test_a_message_beyond_its_size_closes_with_1009(path: str) -> None:
    """In bytes, whatever its letters."""
    client = sockets(limits=Limits(websocket_message_size=4))
    with client.websocket_connect(path) as socket:
        socket.send_text("éé")
        assert socket.receive_text() == "éé"

    with client.websocket_connect(path) as socket:
        socket.send_text("ééx")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

    assert closed.value.code == 1009


@pytest.mark.parametrize(
    ("limits", "status"), [(INTERNET, 404), (COMPATIBLE, 200), (INTERNET | Limits(docs=True), 200)]
)
def test_documentation_is_served_where_the_limits_say_so(limits: Limits, status: int) -> None:
    """A map of all paths is for those who write against them."""
    client = TestClient(FastAPI(limits=limits))

    assert [client.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")] == [status] * 3


@pytest.mark.anyio
async def test_the_environment_decides_what_no_level_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs a program decides for all that do not decide themselves."""
    monkeypatch.setenv(VARIABLE, "internet")
    silent, own = Door(built()), Door(built(limits=Limits(json_constants=True)))
    body = b'{"content": NaN}'

    assert (await silent.ask("/bag", body))[0] == 422
    assert (await own.ask("/bag", body))[0] == 200
    assert TestClient(own.app).get("/docs").status_code == 404

    monkeypatch.setenv(VARIABLE, "intranet")
    with pytest.raises(ValueError, match="SLIPSTREAM_LIMITS is 'intranet'\n  write compatible or internet"):
        FastAPI()


@pytest.mark.parametrize(
    ("field", "value"),
    [("body_size", -1), ("body_size", 1.5), ("json_size", "1"), ("json_depth", 0), ("json_depth", 201),
     ("json_constants", 1), ("errors", 1.0), ("websocket_origins", "https://a.example"),
     ("websocket_origins", ("a.example",)), ("cookie_flags", ("Partitioned",)), ("form_files", True), ("docs", "off")],
)  # fmt: skip
def test_a_wrong_value_is_named(field: str, value: Any) -> None:
    """At the line that writes it."""
    with pytest.raises(ValueError, match=field):
        Limits(**{field: value})


def test_limits_are_a_limits() -> None:
    """A dict or a name says nothing that is checked."""
    with pytest.raises(TypeError, match=r"limits must be a Limits, such as slipstream.INTERNET, not 'internet'"):
        FastAPI(limits="internet")  # type: ignore[arg-type]  # what is tested


def test_both_choices_set_every_field() -> None:
    """So that nothing is left to chance."""
    names = {field.name for field in fields(Limits)}

    assert COMPATIBLE.given.keys() == INTERNET.given.keys() == names
    assert of_forms(form_options(COMPATIBLE)) == Limits(form_fields=1000, form_files=1000, form_part_size=1024 * 1024)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [json.dumps({f"k{number}": number for number in range(50_000)}), "[" + "0," * 300_000 + "0]"],
    ids=["50,000 wrong keys", "300,000 zeros"],
)
async def test_a_large_wrong_body_takes_little_memory_and_gets_a_small_answer(body: str) -> None:
    """As dicts, the errors of 200,000 keys took seconds and 240 MiB; nobody else was served meanwhile."""
    app = FastAPI()

    async def endpoint(strict: Strict) -> None: ...

    app.post("/strict")(endpoint)
    door = Door(app)
    await door.ask("/strict", b"{}")

    tracemalloc.start()
    status, _, answer = await door.ask("/strict", body.encode())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (status, peak < 20 * 1024 * 1024, len(answer) < 20_000) == (422, True, True)


def test_of_very_many_errors_the_first_are_kept_as_they_are() -> None:
    """In their order; only the inputs, which may be as large as the body each, are left out."""
    adapter = TypeAdapter(dict[str, int])
    with pytest.raises(ValidationError) as few:
        adapter.validate_python({f"k{number}": "x" for number in range(MOST_ERRORS)})
    with pytest.raises(ValidationError) as many:
        adapter.validate_python({f"k{number}": "x" for number in range(MOST_ERRORS + 1)})
    expected = located(few.value, ("body",))

    assert located(many.value, ("body",)) == [{**error, "input": None} for error in expected]
