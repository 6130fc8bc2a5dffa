"""Random trees of routers, mounts and foreign routes: who answers a path, and what the answer says about it."""

import itertools
import re
from typing import Any

import pytest
from hypothesis import given, strategies as st

from .harness import Pair, Sent
from .strategies import PREAMBLE, examples

IMPORTS = """
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse as Plain

log = []

def noted(name):
    def note():
        log.append(name)
    return note

def seen(request):
    scope = request.scope
    return {
        "params": repr(sorted(request.path_params.items())),
        "scope": [scope["root_path"], scope["path"]],
        "route": getattr(scope.get("route"), "path", None),
        "urls": [str(request.url), str(request.base_url)],
    }

async def foreign(request):
    return Plain(f"foreign {sorted(request.path_params.items())!r} {request.scope['root_path']!r}")

async def bare(scope, receive, send):
    shown = {key: scope.get(key) for key in ("path", "root_path", "path_params", "app_root_path")}
    await Plain(f"bare {shown!r}")(scope, receive, send)

def asking(kind, names):
    "A subclass that notes what it is asked."
    def method(name):
        own = getattr(kind, name)
        def note(self, scope):
            context = scope.get("fastapi", {}).get("effective_route_context")
            is_own = context is not None and context.original_route is self
            log.append((name, getattr(self, "path", "router"), context.path if is_own else None))
        async def handle(self, scope, receive, send):
            note(self, scope)
            await own(self, scope, receive, send)
        def matches(self, scope):
            note(self, scope)
            return own(self, scope)
        return handle if name == "handle" else matches
    return type(kind.__name__, (kind,), {name: method(name) for name in names})

from fastapi.routing import APIRoute
Matching, Handling = asking(APIRoute, ["matches", "handle"]), asking(APIRoute, ["handle"])
Asked = asking(APIRouter, ["matches", "handle"])

# --- end of preamble
"""

SEGMENTS = (
    "a",
    "b",
    "items",
    "{x}",
    "{y}",
    "{n:int}",
    "{f:float}",
    "{u:uuid}",
    "{p:path}",
    "a{x}",
    "{x}.json",
    "{x}-{y}",
    "",
)
METHODS = ("get", "get", "get", "post", "put", "delete", "head", "options", "patch")


def named(path: str, label: str) -> str:
    """Give each parameter of a path a name of its own: one name twice in a whole path is an error."""
    number = itertools.count()
    return re.sub(r"\{(\w+)", lambda match: f"{{{match[1]}{label}{next(number)}", path)


paths = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3).map(lambda segments: "/" + "/".join(segments))
prefixes = st.sampled_from(["", "", "/a", "/{x}", "/items", "/a/{y}", "/v1"])
PARTS = st.sampled_from(
    [
        "a",
        "b",
        "items",
        "1",
        "-1",
        "1.5",
        "x.json",
        "p-q",
        "",
        "ab",
        "%41",
        "6b1f6a4e-7f4b-4a0e-9f0c-1d2e3f405060",
        "v1",
        "ü",
    ]
)
requested = st.lists(PARTS, min_size=0, max_size=4).map(lambda parts: "/" + "/".join(parts))


@st.composite
def routes(draw: st.DrawFn, router: str, label: str, depth: int) -> str:
    """Draw the routes of one router: own ones, mounted ones, foreign ones, and routers in it."""
    text = ""
    for index in range(draw(st.integers(1, 4))):
        name = f"{label}_{index}"
        kind = draw(
            st.sampled_from(["verb"] * 6 + ["router", "router", "mount", "foreign", "many", "websocket", "sub"])
        )
        path = named(draw(paths), name)
        if kind == "router" and depth:
            text += draw(included(router, name, depth))
        elif kind == "mount":
            text += f"{router}.mount({named(draw(prefixes), name)!r}, bare, name={name!r})\n"
        elif kind == "sub" and depth:
            text += f"{name} = FastAPI()\n" + draw(routes(name, name, depth - 1))
            text += f"{router}.mount({named(draw(prefixes), name)!r}, {name})\n"
        elif kind == "foreign":
            methods = draw(st.sampled_from([None, ["GET"], ["POST", "PUT"]]))
            text += f"{router}.routes.append(Route({path!r}, foreign, methods={methods!r}))\n"
        elif kind == "websocket":
            text += f"@{router}.websocket({path!r})\nasync def {name}(websocket: WebSocket):\n"
            text += (
                f"    await websocket.accept()\n    await websocket.send_text('{name}')\n    await websocket.close()\n"
            )
        elif kind == "many":
            # With an id, since FastAPI's hangs on the order of a set.
            options = f"methods=['GET', 'POST', 'DELETE'], operation_id={name!r}"
            text += f"@{router}.api_route({path!r}, {options})\n{_endpoint(name)}"
        else:
            options = draw(st.sampled_from(["", "", f", dependencies=[Depends(noted('{name}'))]", ", status_code=202"]))
            text += f"@{router}.{draw(st.sampled_from(METHODS))}({path!r}{options})\n{_endpoint(name)}"
    return text


def _endpoint(name: str) -> str:
    """Write an endpoint that tells what it was called with, without declaring anything."""
    return f"def {name}(request: Request):\n    return {{'at': {name!r}, **seen(request)}}\n"


@st.composite
def included(draw: st.DrawFn, parent: str, name: str, depth: int) -> str:
    prefix, own_prefix = named(draw(prefixes), f"{name}i"), named(draw(prefixes), f"{name}o")
    options = draw(
        st.sampled_from(
            ["", f", dependencies=[Depends(noted('on {name}'))]", ", redirect_slashes=False", ", tags=['t']"]
        )
    )
    inside = draw(routes(name, name, depth - 1))
    extra = draw(st.sampled_from(["", f", dependencies=[Depends(noted('into {name}'))]", ", include_in_schema=False"]))
    include = f"{parent}.include_router({name}, prefix={prefix!r}{extra})\n"
    options += draw(st.sampled_from(["", "", "", ", route_class=Matching", ", route_class=Handling"]))
    cls = draw(st.sampled_from(["APIRouter"] * 4 + ["Asked"]))
    made = f"{name} = {cls}(prefix={own_prefix!r}{options})\n"
    return made + (inside + include if draw(st.booleans()) else include + inside)


@st.composite
def sources(draw: st.DrawFn) -> str:
    options = draw(st.sampled_from(["", "", "", "redirect_slashes=False", "root_path='/root'", "openapi_url=None"]))
    return f"app = FastAPI({options})\n" + draw(routes("app", "r", 2))


@st.composite
def likely(draw: st.DrawFn, pair: Pair) -> str:
    """Draw a path that some route may serve: a documented one, its parameters filled in."""
    known = sorted(pair.theirs.app.openapi()["paths"])
    if not known or draw(st.booleans()):
        return draw(requested)
    return re.sub(r"\{[^}]*\}", lambda _: draw(PARTS), draw(st.sampled_from(known))) or "/"


@examples(80)
@given(data=st.data())
def test_a_path_is_answered_by_the_route_that_fastapi_would_choose(data: Any) -> None:
    """First registered wins at every level; 404, 405 and redirects are FastAPI's too."""
    pair = Pair(PREAMBLE + IMPORTS + data.draw(sources()))
    if pair.is_refused:
        return
    pair.openapi()
    for _ in range(15):
        method = data.draw(st.sampled_from(["GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "DELETE", "FOO"]))
        root = data.draw(st.sampled_from(["", "", "", "/root", "/a"]))
        sent = Sent(method, data.draw(likely(pair)), data.draw(st.sampled_from([b"", b"", b"q=1"])), root_path=root)
        if data.draw(st.integers(0, 7)) == 0:
            pair.websocket(sent)
        else:
            pair.request(sent)


@examples(60)
@given(data=st.data())
def test_the_first_registered_route_that_fits_wins(data: Any) -> None:
    """A tree must answer as a scan in order would: here each path is scanned by Starlette's own regular expressions."""
    patterns = data.draw(st.lists(paths.map(lambda path: named(path, "")), min_size=1, max_size=12))
    text = "".join(f"@app.get({path!r})\ndef r{index}():\n    return {index}\n" for index, path in enumerate(patterns))
    pair = Pair(PREAMBLE.replace("FastAPI()", "FastAPI(redirect_slashes=False, openapi_url=None)") + text)
    if pair.is_refused:
        return
    for path in data.draw(st.lists(requested, min_size=5, max_size=15)):
        scope = {"type": "http", "method": "GET", "path": path, "root_path": ""}
        scan = [index for index, route in enumerate(pair.theirs.app.routes) if route.path_regex.match(path)]

        outcome = pair.request(Sent(path=path))

        assert outcome.json == (scan[0] if scan else {"detail": "Not Found"}), scope


ROUTERS = """
from fastapi.routing import APIRoute
from starlette.routing import Host, Match, Mount, Route, Router

log = []

class Timed(APIRoute):
    def get_route_handler(self):
        inner = super().get_route_handler()
        async def timed(request):
            log.append("before")
            try:
                response = await inner(request)
            except Mine as exc:
                return JSONResponse({"turned": str(exc)}, 456)
            response.headers["x-timed"] = "1"
            return response
        return timed

class Choosy(APIRoute):
    def matches(self, scope):
        if scope["type"] == "http" and b"no" in scope["query_string"]:
            return Match.NONE, {}
        return super().matches(scope)

class Mine(Exception):
    pass

def yielding():
    try:
        yield "dep"
    except Mine as exc:
        log.append("heard")
        raise
    finally:
        log.append("closed")

timed = APIRouter(route_class=Timed)

@timed.post("/timed/{n}")
def timed_endpoint(n: int, item: Item, background: BackgroundTasks, dep: Annotated[str, Depends(yielding)]):
    background.add_task(log.append, "task")
    if n > 5:
        raise Mine("n")
    return item

choosy = APIRouter(route_class=Choosy)

@choosy.get("/choosy/{x}")
def chosen(x: str):
    return {"first": x}

@app.get("/choosy/{y}")
def fallback(y: str):
    return {"second": y}

app.include_router(timed, prefix="/p")
app.include_router(choosy)

other = FastAPI()

@other.get("/h")
def on_host(request: Request):
    return {"host": request.url.hostname, "params": request.path_params}

app.router.routes.append(Host("{sub}.example.org", app=other))
app.host("api.test", other)

@app.get("/h")
def plain():
    return "plain"

late = APIRouter(prefix="/late")
app.include_router(late)

# --- end of preamble
"""


def test_classes_of_routes_that_wrap_or_choose_are_honoured() -> None:
    """Programs subclass APIRoute to time, to log, to turn exceptions into answers, to choose by more than the path."""
    pair = Pair(PREAMBLE + ROUTERS)
    json_type = ((b"content-type", b"application/json"),)

    for number in ("1", "9", "x"):
        for body in (b'{"name": "n"}', b"{", b"{}"):
            pair.request(Sent("POST", f"/p/timed/{number}", b"", json_type, (body,)))
    pair.get("/choosy/a")
    pair.get("/choosy/a", b"no")
    pair.openapi()


@pytest.mark.parametrize("host", [b"testserver", b"a.example.org", b"api.test", b"API.test:80"])
def test_hosts_are_routes_in_their_order(host: bytes) -> None:
    """A host route stands among the others and takes what comes before them."""
    pair = Pair(PREAMBLE + ROUTERS)
    for side in pair.sides:
        side.host = host

    pair.get("/h")
    pair.get("/nothing")


def test_routes_that_are_added_while_it_runs_are_served_and_documented() -> None:
    """Plugins add routes after the first request, to the application and to routers that are already included."""
    pair = Pair(PREAMBLE + ROUTERS)
    pair.get("/late/x")
    pair.get("/new/1")
    before = pair.openapi()

    for side in pair.sides:
        added = (
            "@late.get('/x')\ndef late_x(q: int = 1):\n    return q\n"
            "@app.get('/new/{n}')\ndef new(n: int, d: Annotated[str, Depends(yielding)]):\n    return n\n"
        )
        exec(added, side.module.__dict__)

    assert pair.get("/late/x").json == 1
    pair.get("/late/x", b"q=z")
    assert pair.get("/new/1").json == 1
    assert "/new/{n}" in pair.openapi()["paths"]
    assert "/new/{n}" not in before["paths"]
