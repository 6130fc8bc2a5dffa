"""Frontends: the same files, statuses and headers as FastAPI's, for whatever is asked for."""

import errno
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import fastapi
import fastapi.testclient
import pytest
import starlette.exceptions
from hypothesis import given, settings, strategies as st
from starlette.routing import NoMatchFound

import slipstream
import slipstream.testclient
from slipstream import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from slipstream._routes.frontend import FrontendFiles
from slipstream.testclient import TestClient
from slipstream.websockets import WebSocketDisconnect

FILES = {
    "index.html": "app",
    "asset.js": "let a = 1",
    "about/index.html": "about",
    "empty/readme.txt": "nothing to see",
    "404.html": "missing",
}


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three builds: with both fallbacks, with the application alone, and with neither; and a secret beside them."""
    root = tmp_path_factory.mktemp("sites")
    (root / "secret.txt").write_text("classified")
    places = {}
    for name, left_out in {"both": [], "app": ["404.html"], "none": ["404.html", "index.html"]}.items():
        places[name] = root / name
        for file, content in FILES.items():
            if file not in left_out:
                (root / name / file).parent.mkdir(parents=True, exist_ok=True)
                (root / name / file).write_text(content)
        os.symlink(root / "secret.txt", root / name / "link.txt")
    return places


def application(package: Any, site: Path, other: Path, fallback: Any) -> Any:
    """One program under either framework: two frontends, and routes that they must not hide."""
    app = package.FastAPI()

    @app.get("/asset.js.map")
    def get_map() -> str:
        return "route"

    @app.get("/slash/")
    def get_slash() -> str:
        return "route"

    def mark(response: package.Response) -> None:
        response.headers["x-marked"] = "yes"

    router = package.APIRouter(prefix="/ui", dependencies=[package.Depends(mark)])
    router.frontend("/", directory=other)
    app.frontend("/", directory=site, fallback=fallback)
    app.include_router(router, prefix="/v1")
    return app


SEGMENTS = (
    "", ".", "..", "about", "asset.js", "asset.js.map", "slash", "empty", "link.txt", "secret.txt", "v1", "ui", "%00",
    "..%2fsecret.txt", "%5c..%5csecret.txt", "%2e%2e", "index.html", "404.html", "x" * 300,
)  # fmt: skip
ACCEPTS = (
    None, "", "*/*", "text/html", "text/html;q=0", "TEXT/HTML; q=0.5", "text/html;q=wat", "application/xhtml+xml",
    "image/png, text/html;charset=utf-8;q=0.8", "text/*", "text/html;q=0, */*", ", ;q=1", "text/html; q=0.000",
    "text/html;q=.0", "text/html;q=.01",
)  # fmt: skip
paths = st.lists(st.sampled_from(SEGMENTS), max_size=4).map(lambda parts: "/" + "/".join(parts))


@settings(max_examples=100, deadline=None)
@given(
    names=st.tuples(st.sampled_from(["both", "app", "none"]), st.sampled_from(["both", "app", "none"])),
    fallback=st.sampled_from(["auto", "index.html", "404.html", None]),
    path=paths,
    method=st.sampled_from(["GET", "GET", "HEAD", "POST", "OPTIONS"]),
    accept=st.sampled_from(ACCEPTS),
)
def test_any_request_is_answered_as_fastapi_answers_it(
    sites: dict[str, Path], names: tuple[str, str], fallback: Any, path: str, method: str, accept: str | None
) -> None:
    """Files, fallbacks, redirects and refusals are the same; a 405 says which methods are allowed."""
    site, other = (sites[name] for name in names)
    replies = []
    for package in (slipstream, fastapi):
        try:
            app = application(package, site, other, fallback)
        except RuntimeError:
            replies.append("not built")
            continue
        client = package.testclient.TestClient(app, follow_redirects=False)
        headers = {"accept": accept} if accept is not None else {}
        reply = client.request(method, f"http://testserver{path}", headers=headers)
        kept = {name: value for name, value in reply.headers.items() if name != "allow"}
        replies.append((reply.status_code, kept, reply.content))

    assert replies[0] == replies[1]
    assert "classified" not in str(replies[0])


def built(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("app")
    return tmp_path


def test_a_file_that_is_not_read_answers_405_with_what_is_allowed(tmp_path: Path) -> None:
    """RFC 9110 wants the header."""
    app = FastAPI()
    app.frontend("/", directory=built(tmp_path))

    reply = TestClient(app).post("/index.html")

    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")


def test_a_file_that_is_known_is_not_sent_again(tmp_path: Path) -> None:
    """Browsers ask with the ETag that they have."""
    app = FastAPI()
    app.frontend("/", directory=built(tmp_path))
    client = TestClient(app)

    reply = client.get("/index.html", headers={"if-none-match": client.get("/index.html").headers["etag"]})

    assert (reply.status_code, reply.content) == (304, b"")


def test_a_404_page_is_never_answered_as_not_modified(tmp_path: Path) -> None:
    """Who knows the page does not know that this path is missing."""
    (tmp_path / "404.html").write_text("missing")
    app = FastAPI()
    app.frontend("/", directory=tmp_path)
    client = TestClient(app)

    reply = client.get("/x", headers={"if-none-match": client.get("/404.html").headers["etag"]})

    assert (reply.status_code, reply.text) == (404, "missing")


def test_dependencies_guard_files_fallbacks_and_nothing_else(tmp_path: Path) -> None:
    """A private area stays private, and a frontend's guard does not stand before the API."""

    def guard(request: Request) -> None:
        if "key" not in request.headers:
            raise HTTPException(401)

    router = APIRouter(dependencies=[Depends(guard)])
    router.frontend("/", directory=built(tmp_path))
    app = FastAPI()
    app.include_router(router)
    app.get("/api")(lambda: "api")
    client = TestClient(app)
    page = {"accept": "text/html"}

    assert [client.get(path, headers=page).status_code for path in ("/", "/index.html", "/x", "/api")] == [
        401, 401, 401, 200,
    ]  # fmt: skip
    assert client.get("/x", headers={**page, "key": "k"}).text == "app"

    app.dependency_overrides[guard] = lambda: None
    assert client.get("/").text == "app"


def test_dependencies_of_a_frontend_may_set_headers_and_add_tasks(tmp_path: Path) -> None:
    """As those of any path operation."""
    done: list[str] = []

    def prepare(response: Response, tasks: BackgroundTasks) -> None:
        response.set_cookie("seen", "1")
        tasks.add_task(done.append, "task")

    app = FastAPI(dependencies=[Depends(prepare)])
    app.frontend("/", directory=built(tmp_path))

    reply = TestClient(app).get("/")

    assert reply.cookies["seen"] == "1"
    assert done == ["task"]


def test_routes_added_later_come_first(tmp_path: Path) -> None:
    """The frontend is what is left, whatever the order of registration."""
    router = APIRouter()
    router.frontend("/", directory=built(tmp_path))
    app = FastAPI()
    app.include_router(router, prefix="/app")
    client = TestClient(app)
    assert client.get("/app/page", headers={"accept": "text/html"}).text == "app"

    router.get("/page")(lambda: "api")

    assert client.get("/app/page", headers={"accept": "text/html"}).json() == "api"


@pytest.mark.anyio
async def test_the_bound_of_an_inclusion_holds_for_files(tmp_path: Path) -> None:
    """A GET has no body to speak of."""
    router = APIRouter()
    router.frontend("/", directory=built(tmp_path))
    app = FastAPI()
    app.include_router(router, prefix="/a", max_body_size=0)

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/a/", "query_string": b"", "root_path": "",
        "headers": [(b"content-length", b"1")],
    }  # fmt: skip
    await app(scope, anyio.sleep_forever, send)  # the body is announced and never comes

    assert [message["status"] for message in sent if "status" in message] == [413]


def test_a_websocket_is_never_a_file(tmp_path: Path) -> None:
    """It is closed as one that nothing serves, and routes for it are found."""
    app = FastAPI()
    app.frontend("/", directory=built(tmp_path))

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hi")
        await websocket.close()

    client = TestClient(app)
    with client.websocket_connect("/ws") as connection:
        assert connection.receive_text() == "hi"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/index.html"):
        pass


@pytest.mark.parametrize("framework", [fastapi, slipstream])
def test_an_included_router_lists_its_frontends_for_packages(framework: Any, sites: dict[str, Path]) -> None:
    """Packages find what is served after all routes by FastAPI's half-public method of an included router."""
    inner, outer, app = framework.APIRouter(), framework.APIRouter(), framework.FastAPI()
    inner.frontend("/", directory=sites["app"])
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/outer")

    (node,) = (route for route in app.router.routes if hasattr(route, "effective_low_priority_routes"))

    assert len(list(node.effective_low_priority_routes())) == 1


@pytest.mark.parametrize("path", ["", "app"])
def test_a_path_begins_with_a_slash(tmp_path: Path, path: str) -> None:
    """As every path does."""
    with pytest.raises(AssertionError, match="begins with '/'"):
        FastAPI().frontend(path, directory=built(tmp_path))


def test_an_unknown_fallback_is_refused(tmp_path: Path) -> None:
    """A file of another name would never be served."""
    fallback: Any = "home.html"
    with pytest.raises(AssertionError, match=r"home\.html"):
        FastAPI().frontend("/", directory=built(tmp_path), fallback=fallback)


@pytest.mark.parametrize("make", [FastAPI, APIRouter])
@pytest.mark.parametrize(("environment", "check_dir"), [("development", True), ("production", "auto"), (None, "auto")])
def test_a_missing_directory_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any], environment: str | None, check_dir: Any
) -> None:
    """A deployment without its frontend should not start."""
    monkeypatch.delenv("FASTAPI_ENV", raising=False)
    if environment:
        monkeypatch.setenv("FASTAPI_ENV", environment)

    with pytest.raises(RuntimeError, match="does not exist") as caught:
        make().frontend("/", directory=tmp_path / "dist", check_dir=check_dir)
    assert str(tmp_path / "dist") in str(caught.value)


@pytest.mark.parametrize("make", [FastAPI, APIRouter])
def test_a_missing_directory_is_warned_about_in_development(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    """The frontend's own server serves it there; the warning names the user's line."""
    monkeypatch.setenv("FASTAPI_ENV", "development")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make().frontend("/", directory=tmp_path / "dist")

    assert [warning.filename for warning in caught] == [__file__]


def test_a_directory_that_is_still_missing_fails_the_request(tmp_path: Path) -> None:
    """`check_dir=False` puts the question off."""
    app = FastAPI()
    app.frontend("/", directory=tmp_path / "dist", check_dir=False)

    with pytest.raises(RuntimeError, match="does not exist"):
        TestClient(app).get("/")


def test_a_named_fallback_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """At once where the directory is looked at, else when it is needed."""
    with pytest.raises(RuntimeError, match=r"404\.html.* does not exist"):
        FastAPI().frontend("/", directory=tmp_path, fallback="404.html")

    app = FastAPI()
    app.frontend("/", directory=tmp_path, fallback="index.html", check_dir=False)
    with pytest.raises(RuntimeError, match=r"index\.html.* does not exist"):
        TestClient(app).get("/x", headers={"accept": "text/html"})


@pytest.mark.parametrize(
    ("raised", "status"), [(PermissionError(), 401), (ValueError(), 404), (OSError(errno.ENAMETOOLONG, "long"), 404)]
)
def test_what_the_file_system_refuses_is_no_fault_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int
) -> None:
    """Paths come from clients: none may make a 500."""
    app = FastAPI()
    app.frontend("/", directory=built(tmp_path))

    def refuse(self: FrontendFiles, path: str) -> Any:
        raise raised

    monkeypatch.setattr(FrontendFiles, "lookup_path", refuse)

    assert TestClient(app).get("/x").status_code == status


def test_a_disk_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone has to hear of it."""
    app = FastAPI()
    app.frontend("/", directory=built(tmp_path))

    def fail(self: FrontendFiles, path: str) -> Any:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(FrontendFiles, "lookup_path", fail)

    with pytest.raises(OSError, match="disk"):
        TestClient(app).get("/x")


@pytest.mark.parametrize("package", [fastapi, slipstream])
def test_the_frontends_of_a_router_are_one_route_too(package: Any, sites: dict[str, Path]) -> None:
    """Half-public in FastAPI: what serves is asked, and its files are replaced in tests."""
    router = package.APIRouter()
    assert router._frontend_routes is None
    router.frontend("/", directory=sites["both"])
    router.frontend("/deep", directory=sites["none"])
    group = router._frontend_routes
    scope = {"type": "http", "method": "GET", "path": "/deep/about", "root_path": "", "headers": []}

    assert [route.path for route in group.routes] == ["/", "/deep"]
    match, child_scope = group.matches(scope)
    assert (match.name, child_scope["fastapi"]["frontend_path"]) == ("FULL", "about")
    match, child_scope = group.matches_with_prefix({**scope, "path": "/p/deep"}, "/p")
    assert (match.name, child_scope["fastapi"]["frontend_path"]) == ("FULL", "")
    assert group.matches({**scope, "type": "websocket"})[0].name == "NONE"
    assert group.routes[1].matches({**scope, "method": "POST"})[0].name == "PARTIAL"
    with pytest.raises(NoMatchFound):
        group.url_path_for("frontend")
    with pytest.raises(starlette.exceptions.HTTPException, match="404"):
        anyio.run(group.handle, {**scope, "type": "websocket"}, None, None)
