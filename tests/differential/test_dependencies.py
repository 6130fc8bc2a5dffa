"""Random graphs of dependencies: who is called, in which order, who hears of which exception, who is closed when.

Each callable writes into an event log; status, body and log must be equal under both frameworks.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, strategies as st

from .harness import FRAMEWORKS, Pair, Sent, load
from .strategies import PREAMBLE, examples

KINDS = ("def", "async def", "gen", "async gen", "gen", "async gen", "class", "callable", "partial", "contextmanager")

ERRORS = (
    "raise ValueError('{}')",
    "raise HTTPException(418, detail='{}', headers={{'x-from': '{}'}})",
    "raise Mine('{}')",
    "raise Other('{}')",
    "raise HTTPException(404)",
)

# How a yield dependency meets an exception that comes to it.
MEETS = (
    "raise",
    "raise",
    "raise",
    "pass",
    "raise HTTPException(409, detail='from {}')",
    "raise Mine('turned in {}')",
    "raise Other('turned') from exc",
)

HANDLERS = """
class Mine(Exception):
    pass

class Other(Mine):
    pass

log = []

@app.exception_handler(Mine)
async def on_mine(request, exc):
    log.append(f"handler {exc}")
    return JSONResponse({"mine": str(exc)}, status_code=444)

# --- end of preamble
"""


@dataclass
class Graph:
    """The dependencies so far.

    FastAPI calls what a shared dependency needs with `use_cache=False` once for each use of the shared one, and drops
    all results but the first; slipstream calls it once. So either dependencies are shared (except by `use_cache=False`
    at the top) or the graph is a tree, in which anything may be uncached and only `d0`, which needs nothing, is used
    more than once.
    """

    scopes: bool
    is_tree: bool
    names: list[str] = field(default_factory=list)
    free: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.names.append(name)
        self.free.append(name)

    def pick(self, draw: st.DrawFn, most: int) -> list[str]:
        """Draw what a function depends on."""
        if not self.is_tree:
            return draw(st.lists(st.sampled_from(self.names), max_size=most)) if self.names else []
        chosen = draw(st.lists(st.sampled_from(self.free), max_size=most, unique=True)) if self.free else []
        self.free = [name for name in self.free if name not in chosen or name == "d0"]
        return chosen


@st.composite
def dependency(draw: st.DrawFn, index: int, graph: Graph) -> str:
    """Draw one dependency that may depend on earlier ones."""
    kind = draw(st.sampled_from(KINDS))
    used = draw(arguments(graph))
    extra = draw(
        st.sampled_from(
            [
                "",
                "",
                "",
                "q: int = 0",
                "x_h: Annotated[str, Header()] = 'h'",
                "request: Request",
                "scopes: SecurityScopes",
            ]
        )
    )
    parameters = ", ".join(["*", *([extra] if extra else []), *used]) if extra or used else ""
    name = f"d{index}"
    seen = " ".join(f"{{{argument.split(':')[0]}!r}}" for argument in used)
    if "scopes" in extra:
        seen += " {scopes.scopes!r}"
    enter = f"log.append(f'{name} in {seen}')"
    before = draw(st.sampled_from(["", "", "", "", "", *ERRORS])).format(name, name)
    value = f"'v{index}'"
    if kind in ("gen", "async gen"):
        return _generator(draw, name, kind, parameters, enter, before, value)
    if kind == "class":
        body = [enter, before]
        return _block(
            f"class {name}", _block(f"def __init__(self, {parameters})", *body), f"def __repr__(self): return {value}"
        )
    if kind == "callable":
        style = draw(st.sampled_from(["def", "async def"]))
        inner = _block(f"{style} __call__(self, {parameters})", enter, before, f"return {value}")
        return _block(f"class C{index}", inner) + f"\n{name} = C{index}()\n"
    if kind == "partial":
        style = draw(st.sampled_from(["def", "async def"]))
        bound = ", ".join(["bound", parameters]) if parameters else "bound"
        whole = _block(f"{style} f{index}({bound})", enter, before, f"return {value} + bound")
        return whole + f"\n{name} = functools.partial(f{index}, 'b')\n"
    if kind == "contextmanager":
        return _block(f"def {name}({parameters})", enter, "return contextlib.nullcontext(1).__enter__()")
    return _block(f"{kind} {name}({parameters})", enter, before, f"return {value}")


def _generator(draw: st.DrawFn, name: str, kind: str, parameters: str, enter: str, before: str, value: str) -> str:
    head = f"{'async ' if kind == 'async gen' else ''}def {name}({parameters})"
    before = draw(st.sampled_from([before] * 9 + ["return"]))  # and so never reaches its `yield`
    meet = draw(st.sampled_from(MEETS)).format(name)
    after = draw(st.sampled_from(["", "", "", "", *ERRORS])).format(name, name)
    catches = draw(st.sampled_from(["", "Exception", "Exception", "HTTPException", "ValueError", "BaseException"]))
    body = [enter, before]
    if not catches:
        return _block(head, *body, f"yield {value}", f"log.append('{name} out')", after)
    return _block(
        head,
        *body,
        _block("try", f"yield {value}", f"log.append('{name} fine')"),
        _block(f"except {catches} as exc", f"log.append(f'{name} hears {{type(exc).__name__}} {{exc}}')", meet),
        _block("finally", f"log.append('{name} out')", after),
    )


def _block(head: str, *body: str) -> str:
    lines = [line for part in body if part for line in part.splitlines()] or ["pass"]
    return "\n".join([f"{head}:", *(f"    {line}" for line in lines)]) + "\n"


@st.composite
def arguments(draw: st.DrawFn, graph: Graph, top: bool = False) -> list[str]:
    """Draw the dependencies of a function, as its parameters."""
    names = graph.pick(draw, 3)
    return [f"a{place}: Annotated[Any, {draw(depends(name, graph, top))}]" for place, name in enumerate(names)]


@st.composite
def depends(draw: st.DrawFn, name: str, graph: Graph, top: bool) -> str:
    options = ["", "", "", ""]
    if top or graph.is_tree:
        options += [", use_cache=False"]
    if graph.scopes:
        options += [", scope='function'", ", scope='request'", ", scope='function'"]
    if draw(st.integers(0, 4)) == 0:
        scopes = draw(st.sampled_from(["['a']", "['b', 'a']", "[]"]))
        return f"Security({name}, scopes={scopes}{draw(st.sampled_from(options)).partition(', scope=')[0]})"
    return f"Depends({name}{draw(st.sampled_from(options))})"


ENDINGS = (
    "return 'done'",
    "return 'done'",
    "return 'done'",
    "return PlainTextResponse('direct', headers={'x-e': '1'})",
    "raise ValueError('endpoint')",
    "raise HTTPException(403, detail='endpoint')",
    "raise Mine('endpoint')",
    "raise Other('endpoint')",
    "return object",
    "return StreamingResponse(chunks())",
    "return StreamingResponse(chunks(fails=True))",
)

CHUNKS = """
from fastapi.security import SecurityScopes
import contextlib
import functools
from fastapi.responses import StreamingResponse

async def chunks(fails=False):
    yield b'one'
    log.append('between')
    if fails:
        raise ValueError('stream')
    yield b'two'
"""


@st.composite
def sources(draw: st.DrawFn) -> str:
    graph = Graph(scopes=draw(st.booleans()), is_tree=draw(st.integers(0, 3)) == 0)
    text = ""
    for index in range(draw(st.integers(1, 6))):
        text += draw(dependency(index, graph)) + "\n"
        graph.add(f"d{index}")
    used = draw(arguments(graph, top=True))
    listed = ", ".join([draw(depends(name, graph, True)) for name in graph.pick(draw, 2)])
    seen = " ".join(f"{{{argument.split(':')[0]}!r}}" for argument in used)
    extra = draw(st.sampled_from(["", "", "p: int", "background: BackgroundTasks", "response: Response"]))
    body = [f"log.append(f'endpoint {seen}')"]
    if "background" in extra:
        body.append("background.add_task(log.append, 'task')")
    if "response" in extra:
        body.append("response.status_code = 222")
    body.append(draw(st.sampled_from(ENDINGS)))
    style = draw(st.sampled_from(["async def", "def"]))
    parameters = ", ".join([*([extra] if extra else []), *used])
    on_router = draw(st.booleans())
    common = draw(depends("d0", graph, True)) if on_router and draw(st.booleans()) else ""
    text += f"router = APIRouter(dependencies=[{common}])\n"
    text += f"@{'router' if on_router else 'app'}.get('/', dependencies=[{listed}])\n"
    text += _block(f"{style} endpoint({parameters})", *body)
    text += "app.include_router(router)\n" if on_router else ""
    if not graph.is_tree and draw(st.integers(0, 3)) == 0:
        old, new = sorted([draw(st.sampled_from(graph.names)), draw(st.sampled_from(graph.names))], reverse=True)
        text += f"app.dependency_overrides[{old}] = {new}\n"
    return text


@examples(110)
@given(source=sources())
def test_dependencies_live_and_die_as_under_fastapi(source: str) -> None:
    """Order of calls, sharing, exceptions thrown into `yield` dependencies and clean-up are part of the contract."""
    pair = Pair(PREAMBLE + CHUNKS + HANDLERS + source)
    if pair.is_refused:
        return
    pair.get("/", b"p=1")
    pair.get("/", b"q=x")


def test_what_a_shared_dependency_needs_uncached_is_called_once_for_it() -> None:
    """FastAPI calls it again for each use of the shared one and drops the result: work that nobody sees."""
    source = (
        "def leaf():\n    log.append('leaf')\n"
        "def shared(a: Annotated[Any, Depends(leaf, use_cache=False)]):\n    log.append('shared')\n"
        "@app.get('/', dependencies=[Depends(shared), Depends(shared)])\n"
        "def endpoint():\n    return 1\n"
    )
    sent = Sent()
    theirs, ours = (load(PREAMBLE + HANDLERS + source, name).request(sent) for name in FRAMEWORKS)

    assert ours.log == ("leaf", "shared")
    assert theirs.log == ("leaf", "shared", "leaf")


def test_an_override_that_cannot_be_used_is_refused_as_the_dependency_would_be() -> None:
    """Whoever catches FastAPI's exception for a wrong dependency catches it for a wrong override too."""
    source = (
        "def short():\n    yield 1\n"
        "def long(a: Annotated[Any, Depends(short, scope='function')]):\n    yield 2\n"
        "def original():\n    return 3\n"
        "@app.get('/')\ndef endpoint(a: Annotated[Any, Depends(original)]):\n    return a\n"
        "app.dependency_overrides[original] = long\n"
    )

    assert Pair(PREAMBLE + source).get("/").raised == "DependencyScopeError"


def test_an_override_that_cannot_be_used_fails_when_it_is_its_turn() -> None:
    """What is solved before it may have answered; by every way to be called."""
    source = (
        "from fastapi.routing import APIRoute\n"
        "log = []\n"
        "class Own(APIRoute):\n    def get_route_handler(self):\n        return super().get_route_handler()\n"
        "def first(stop: bool = False):\n    log.append('first')\n    if stop:\n        raise HTTPException(404)\n"
        "def short():\n    yield 1\n"
        "def long(a: Annotated[Any, Depends(short, scope='function')]):\n    yield 2\n"
        "def original():\n    return 3\n"
        "own = APIRouter(route_class=Own, prefix='/own')\n"
        "for at in (app, own):\n"
        "    @at.get('/a', dependencies=[Depends(first)])\n"
        "    def endpoint(a: Annotated[Any, Depends(original)]):\n        return a\n"
        "    @at.websocket('/a', dependencies=[Depends(first)])\n"
        "    async def socket(ws: WebSocket, a: Annotated[Any, Depends(original)]):\n        await ws.accept()\n"
        "app.include_router(own)\n"
        "app.dependency_overrides[original] = long\n"
    )
    pair = Pair(PREAMBLE + source)

    for path in ("/a", "/own/a"):
        assert pair.get(path, b"stop=1").status == 404
        assert pair.get(path).log == ("first",)
        pair.websocket(Sent(path=path))
        pair.websocket(Sent(path=path, query=b"stop=1"))


OVERRIDING = """
log = []

def original(q: int = 1):
    log.append("original")
    return q

async def replacement(x_h: Annotated[str, Header()] = "h"):
    log.append("replacement")
    return x_h

def installer(overrides):
    def put():
        overrides()[original] = replacement
    return put

def overrides():
    return app.dependency_overrides

put = installer(overrides)

class Installer:
    def put(self):
        overrides()[original] = replacement
    async def __call__(self, on: bool = False):
        if on:
            self.put()
        log.append("configured")

async def configure(on: bool = False):
    if on:
        INSTALL
    log.append("configured")

if "WAY" == "self":
    configure = Installer()
elif "WAY" == "method":
    configure = Installer().__call__
elif "WAY" == "module":
    import types
    helpers = types.ModuleType("helpers")
    helpers.put = put

def needing(value: Annotated[Any, Depends(original)]):
    return value

@app.get("/")
def endpoint(before: Annotated[Any, Depends(original)], _: Annotated[None, Depends(configure)],
             after: Annotated[Any, Depends(original, use_cache=False)], needing: Annotated[Any, Depends(needing)]):
    return [before, after, needing]

@app.websocket("/")
async def talk(socket: WebSocket, _: Annotated[None, Depends(configure)], after: Annotated[Any, Depends(original)]):
    await socket.accept()
    await socket.send_json(after)
    await socket.close()

@app.middleware("http")
async def install(request, go_on):
    if b"late" in request.scope["query_string"]:
        app.dependency_overrides[original] = replacement
    return await go_on(request)
"""


@pytest.mark.parametrize(
    ("way", "install"),
    [
        ("itself", "app.dependency_overrides[original] = replacement"),
        ("function", "put()"),
        ("module", "helpers.put()"),
        ("self", "pass"),
        ("method", "pass"),
    ],
)
def test_an_override_that_is_installed_during_a_request_holds_for_what_is_solved_after_it(
    way: str, install: str
) -> None:
    """A dependency, or a function that it calls, or a middleware decides for the rest of its own request."""
    pair = Pair(PREAMBLE + OVERRIDING.replace("INSTALL", install).replace("WAY", way))

    assert pair.get("/").json == [1, 1, 1]
    assert pair.get("/", b"on=1").json == [1, "h", 1]
    assert pair.get("/").json == ["h", "h", "h"]
    for side in pair.sides:
        side.app.dependency_overrides.clear()
    assert pair.get("/", b"late=1").json == ["h", "h", "h"]
    for side in pair.sides:
        side.app.dependency_overrides.clear()
    assert pair.websocket(Sent(query=b"on=1")).log == ("configured", "replacement")


@pytest.mark.parametrize("scopes", [("['a']", "['a']", "[]"), ("['a', 'b', 'a']", "['b', 'c']", "['a']"), ("[]",) * 3])
def test_scopes_that_are_asked_for_twice_are_told_as_fastapi_tells_them(scopes: tuple[str, str, str]) -> None:
    """They end up in `WWW-Authenticate`, which clients read."""
    source = (
        "def told(scopes: SecurityScopes):\n    log.append(scopes.scopes)\n    return scopes.scope_str\n"
        f"def inner(a: Annotated[str, Security(told, scopes={scopes[2]})]):\n    return a\n"
        f"def middle(s: SecurityScopes, a: Annotated[str, Security(inner, scopes={scopes[1]})]):\n"
        "    return [s.scopes, a]\n"
        f"@app.get('/')\ndef endpoint(a: Annotated[Any, Security(middle, scopes={scopes[0]})]):\n    return a\n"
    )
    pair = Pair(PREAMBLE + CHUNKS + HANDLERS + source)

    pair.get("/")
    pair.openapi()


FUNCTIONS = """
from inspect import signature

def dependency(a: int = 1, *, b: int = 2):
    return [a, b]

def endpoint(a: int = 3, *, b: int = 4, dep: Any = Depends(dependency)):
    return [a, b, dep if isinstance(dep, list) else 'a marker']

def other(a: str = 'five', *, b: str = 'six'): ...

def of_the_wrapped(function):
    @functools.wraps(function)
    def decorated(*args, **kwargs):
        return function(*args, **kwargs)
    return decorated
"""

# What programs and packages put on a function that has been read before.
CHANGES = (
    "{0}.__signature__ = signature(other)",
    "{0}.__signature__ = signature(other); del {0}.__signature__",
    "{0}.__defaults__ = (7,)",
    "{0}.__kwdefaults__ = {{**{0}.__kwdefaults__, 'b': 8}}",
    "{0}.__kwdefaults__['b'] = 9",
    "{0}.__annotations__ = {{**{0}.__annotations__, 'a': str}}",
    "{0}.__annotations__['b'] = str",
    "{0}.__wrapped__ = other",
    "{0}.__code__ = other.__code__.replace(co_consts=('from other',))",
)

# When they do.
MOMENTS = (
    "app.get('/')(endpoint); {change}",
    "app.get('/old')(endpoint); {change}; app.get('/')(endpoint)",
    "router.get('/')(endpoint); {change}; app.include_router(router)",
    "router.get('/')(endpoint); {change}; views = APIRouter(); views.routes.append(router.routes.pop()); "
    "app.include_router(views)",
    "app.get('/old')(of_the_wrapped(endpoint)); {change}; app.get('/')(of_the_wrapped(endpoint))",
    "decorated = of_the_wrapped(endpoint); app.get('/old')(decorated); {change}; app.get('/')(decorated)",
    "app.get('/old')(other); {change}; app.get('/')(endpoint)",
)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("changed", ["endpoint", "dependency"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_function_that_is_changed_after_it_was_read_is_read_as_fastapi_reads_it(
    change: str, changed: str, moment: str
) -> None:
    """Libraries of class-based views give an endpoint another signature when its route is there already."""
    source = FUNCTIONS + "router = APIRouter()\n" + moment.format(change=change.format(changed)) + "\n"
    pair = Pair(PREAMBLE + CHUNKS + HANDLERS + source)
    if pair.is_refused:
        return

    for path in ("/", "/old"):
        for query in (b"", b"a=10&b=11", b"a=x&b=y"):
            pair.get(path, query)
    pair.openapi()


WRONG_SCOPE = """
from typing import AsyncIterable
from starlette.routing import Mount
log = []

@app.exception_handler(500)
def on_any(request, exc):
    log.append(type(exc).__name__)
    return JSONResponse("any", 501)

def short():
    yield 1

def long(a: Annotated[Any, Depends(short, scope="function")]):
    yield 2

def read():
    return "read"

before, inner, outer = APIRouter(), APIRouter(prefix="/inner"), APIRouter(prefix="/outer")
app.get("/before")(read)
outer.get("/own")(read)
inner.get("/own")(read)
inner.websocket("/ws")(read)
outer.include_router(before)
"""
WRONG_PLACES = (
    "app.include_router(outer, dependencies=[Depends(long)])\n",
    "outer.include_router(inner, dependencies=[Depends(long)])\napp.include_router(outer, prefix='/x')\n",
    "sub = FastAPI()\nsub.include_router(inner, dependencies=[Depends(long)])\napp.mount('/outer', sub)\n"
    "app.dependency_overrides[short] = read\n",
)


@pytest.mark.parametrize("place", WRONG_PLACES)
def test_an_inclusion_that_cannot_be_read_fails_only_where_it_is_asked_for(place: str) -> None:
    """Without a lifespan nothing is read before the first request; what stands before the inclusion is served."""
    pair = Pair(PREAMBLE + WRONG_SCOPE + place + "app.get('/after')(read)\n")

    for path in ("/before", "/outer/own", "/x/outer/own", "/outer/inner/own", "/after", "/nowhere", "/before/"):
        pair.get(path)
        pair.websocket(Sent(path=path))
    assert pair.get("/before").status == 200
    assert pair.get("/outer/inner/own").raised == "DependencyScopeError"


LISTENING = """
from collections.abc import AsyncIterable
from fastapi.responses import EventSourceResponse
from fastapi.routing import APIRoute
log = []

def hear(scope):
    def listen():
        try:
            yield
        except Exception as exc:
            log.append(str(getattr(exc, "exceptions", [exc])[0]))
            raise
    return Depends(listen, scope=scope)

class Logging(APIRoute):
    def get_route_handler(self):
        inner = super().get_route_handler()
        async def logged(request):
            try:
                return await inner(request)
            except Exception as exc:
                log.append(str(exc))
                raise
        return logged

router = APIRouter(route_class=Logging, prefix="/logging")
for at in (app, router):
    for scope in ("function", "request"):
        heard = {"dependencies": [hear(scope)]}
        @at.get(f"/{scope}/async", **heard)
        async def e0() -> int:
            return "x"
        @at.get(f"/{scope}/sync", **heard)
        def e1() -> int:
            return "x"
        @at.get(f"/{scope}/lines", **heard)
        async def e2() -> AsyncIterable[int]:
            yield "x"
        @at.get(f"/{scope}/events", response_class=EventSourceResponse, **heard)
        async def e3() -> AsyncIterable[int]:
            yield "x"
app.include_router(router)
"""


@pytest.mark.parametrize("scope", ["function", "request"])
def test_exceptions_of_a_program_may_have_what_ours_have(scope: str) -> None:
    """Groups are looked into, and errors of validation told where they were: nothing of others' is touched."""
    source = f"""
log = []
class Odd(Exception):
    exceptions = None
    def locate(self):
        log.append("located")
def use():
    yield
@app.get("/")
def read(a=Depends(use, scope="{scope}")):
    raise Odd("odd")
"""
    assert Pair(PREAMBLE + source).get("/").raised == "Odd: odd"


@pytest.mark.parametrize("root_path", ["", "/root"])
@pytest.mark.parametrize("prefix", ["", "/logging"])
def test_whoever_hears_of_an_invalid_result_hears_which_mount_it_came_from(prefix: str, root_path: str) -> None:
    """Dependencies and route classes log the error before any handler has it."""
    pair = Pair(PREAMBLE + LISTENING)

    for scope in ("function", "request"):
        for kind in ("async", "sync", "lines", "events"):
            outcome = pair.request(Sent(path=f"{prefix}/{scope}/{kind}", root_path=root_path))
            assert f"GET {root_path}{prefix}/{scope}/{kind}" in repr((outcome.raised, outcome.log))
