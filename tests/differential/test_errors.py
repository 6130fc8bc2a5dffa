"""What becomes of exceptions: handlers by class, by status and by inheritance, and what is left to the server."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from .harness import Pair, Sent
from .strategies import PREAMBLE, examples

ERRORS = """
from starlette.exceptions import HTTPException as StarletteHTTPException
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import StreamingResponse

log = []

class Base(Exception):
    pass

class Derived(Base):
    pass

class Teapot(HTTPException):
    def __init__(self):
        super().__init__(418, "teapot", headers={"x-tea": "1"})

class Both(Derived, ValueError):
    pass

async def breaking():
    yield b"a"
    raise Derived("midway")

def yielding():
    try:
        yield
    finally:
        log.append("closed")

def failing():
    raise Derived("in a dependency")

# --- end of preamble
"""

KEYS = (
    "Base", "Derived", "ValueError", "Exception", "500", "404", "405", "418", "403", "422", "HTTPException",
    "StarletteHTTPException", "RequestValidationError", "ResponseValidationError", "Teapot", "ExceptionGroup",
)  # fmt: skip

BODIES = (
    "return JSONResponse({'handled': type(exc).__name__, 'by': NAME}, status_code=477)",
    "return PlainTextResponse(NAME + f' {exc}', status_code=478, headers={'x-h': NAME})",
    "return PlainTextResponse(repr(await request.body()), status_code=479)",
    "raise Derived('from ' + NAME)",
    "raise HTTPException(410, detail=NAME)",
    "raise exc",
    "return None",
    "return PlainTextResponse(f'{request.url.path} {sorted(request.path_params)} {request.query_params}')",
)

RAISED = (
    "raise Base('b')", "raise Derived('d')", "raise ValueError('v')", "raise Both('x')", "raise KeyError('k')",
    "raise HTTPException(404)", "raise HTTPException(403, detail={'a': [1]})", "raise Teapot()",
    "raise StarletteHTTPException(418)", "raise HTTPException(500, detail='five')", "raise HTTPException(204)",
    "raise HTTPException(304, headers={'etag': 'x'})", "raise HTTPException(799)",
    "return StreamingResponse(breaking())", "raise ExceptionGroup('g', [Derived('inner')])",
    "raise RequestValidationError([{'loc': ['x'], 'msg': 'm'}], body=b'q')", "raise HTTPException(404, detail='')",
    "return ['not', 'an', 'int']", "return 1", "raise HTTPException(418, detail=None)",
    "raise RecursionError()", "return StreamingResponse(iter(['a', 1]))", "raise HTTPException(422, 'mine')",
)  # fmt: skip


@st.composite
def sources(draw: st.DrawFn) -> tuple[str, int]:
    text = f"app = FastAPI({draw(st.sampled_from(['', '', '', 'debug=False', 'redirect_slashes=False']))})\n"
    for index, key in enumerate(draw(st.lists(st.sampled_from(KEYS), max_size=4))):
        body = draw(st.sampled_from(BODIES)).replace("NAME", f"'h{index}'")
        style = "async def" if "await" in body else draw(st.sampled_from(["async def", "def"]))
        function = f"{style} h{index}(request, exc):\n    log.append('h{index}')\n    {body}\n"
        if draw(st.booleans()):
            text += f"@app.exception_handler({key})\n{function}"
        else:
            text += f"{function}app.add_exception_handler({key}, h{index})\n"
    raised = draw(st.lists(st.sampled_from(RAISED), min_size=1, max_size=4))
    for index, statement in enumerate(raised):
        dependency = draw(
            st.sampled_from(["", "", ", dependencies=[Depends(yielding)]", ", dependencies=[Depends(failing)]"])
        )
        arrow = " -> int" if "return [" in statement or statement == "return 1" else ""
        parameters = draw(
            st.sampled_from(["", "", "item: Annotated[Any, Body()] = None", "request: Request", "q: int = 0"])
        )
        text += f"@app.{draw(st.sampled_from(['get', 'post']))}('/{index}'{dependency})\n"
        text += f"{draw(st.sampled_from(['async def', 'def']))} e{index}({parameters}){arrow}:\n    {statement}\n"
    if draw(st.integers(0, 3)) == 0:
        text += "inner = FastAPI()\n@inner.get('/x')\ndef inner_x():\n    raise Derived('inner')\n"
        text += "app.mount('/sub', inner)\n"
    return text, len(raised)


@examples(80)
@given(data=st.data())
def test_exceptions_find_the_handlers_that_they_find_under_fastapi(data: Any) -> None:
    """By status before class, by nearest class, once; what no handler takes is a 500 without detail, and goes on."""
    source, count = data.draw(sources())
    pair = Pair(PREAMBLE + ERRORS + source)
    for path in [*(f"/{index}" for index in range(count)), "/sub/x", "/nowhere", "/0/"]:
        for method in ("GET", "POST"):
            query = data.draw(st.sampled_from([b"", b"", b"q=x", b"q=1&q=2"]))
            headers = data.draw(st.sampled_from([(), ((b"content-type", b"application/json"),)]))
            body = data.draw(st.sampled_from([b"", b"", b"{", b'{"a": 1}']))
            pair.request(Sent(method, path, query, headers, (body,)))


MANY = (
    PREAMBLE
    + """
def dep(dq: int, dh: Annotated[int, Header()], dc: Annotated[int, Cookie()]):
    return 1

@app.post("/{p}/{r}")
def endpoint(
    p: int, r: Colour, q: int, items: Annotated[list[int], Query()], h: Annotated[float, Header()],
    item: Item, other: Sub, c: Annotated[int, Cookie()], d: Annotated[int, Depends(dep)],
    late: Annotated[int, Path(alias="p")],
):
    return 1
"""
)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"item": {}, "other": {"n": "x"}}', b"[]", b'"x"'])
@pytest.mark.parametrize("query", [b"", b"q=x&dq=y", b"q=1&items=x&items=2&items=y"])
@pytest.mark.parametrize("path", ["/1/red", "/x/y"])
def test_errors_of_all_sources_come_in_one_list_in_fastapis_order(path: str, query: bytes, body: bytes) -> None:
    """Clients show errors in their order: dependencies first, then path, query, headers, cookies, body."""
    headers = ((b"content-type", b"application/json"), (b"h", b"x"), (b"cookie", b"c=z; dc=z"))

    Pair(MANY).request(Sent("POST", path, query, headers, (body,)))
    Pair(MANY).request(Sent("POST", path, query, headers[:1], (body,)))


FOREIGN = """
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

async def parts():
    yield b"part"
    raise ValueError("midway")

async def endpoint(request):
    if "late" in request.query_params:
        return StreamingResponse(parts())
    raise ValueError("at once")

async def bare(scope, receive, send):
    if b"late" in scope["query_string"]:
        await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("bare")

inner = FastAPI()

@inner.get("/")
async def typed(request: Request):
    return await endpoint(request)

app.mount("/fast", inner)
app.mount("/starlette", Starlette(routes=[Route("/", endpoint)]))
app.mount("/bare", bare)
app.routes.append(Route("/route/", endpoint))
router = APIRouter()
router.routes.append(Route("/own/", endpoint))
router.mount("/deep", inner)
app.include_router(router, prefix="/under")
"""


@pytest.mark.parametrize("query", [b"", b"late=1"])
@pytest.mark.parametrize(
    "path", ["/fast/", "/starlette/", "/bare/", "/route/", "/under/own/", "/under/deep/", "/fast/none"]
)
def test_a_foreign_app_that_has_begun_to_answer_is_not_answered_for(path: str, query: bytes) -> None:
    """A second start of a response breaks the connection: whoever crashes beneath us may have sent a 500 of its own."""
    for middleware in ("", "app.add_middleware(Passing)"):
        passing = "class Passing:\n    def __init__(self, app):\n        self.app = app\n"
        passing += "    async def __call__(self, *given):\n        await self.app(*given)\n"
        Pair(PREAMBLE + FOREIGN + passing + middleware).get(path, query)


CHAINS = """
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

log = []

def chain(exc):
    if exc is None:
        return None
    return type(exc).__name__, chain(exc.__cause__), chain(exc.__context__), exc.__suppress_context__

def on_any(request, exc):
    log.append(chain(exc))
    return JSONResponse({}, 499)

for cls in (RequestValidationError, ResponseValidationError, StarletteHTTPException, ValueError):
    app.exception_handler(cls)(on_any)

@app.post("/whole")
def whole(item: Item): ...

@app.post("/embedded")
def embedded(item: Item, x: Annotated[int, Body()]): ...

@app.post("/shown")
def shown(item: Item, request: Request): ...

@app.post("/form")
def form(a: Annotated[str, Form()]): ...

@app.get("/wrong", response_model=Item)
def wrong():
    return {}

@app.get("/late", response_model=Item)
async def late():
    return {}

@app.get("/unwritable")
def unwritable():
    return object()

def turning():
    try:
        yield
    except ValueError as exc:
        raise HTTPException(400) from exc

def hiding():
    try:
        yield
    except ValueError:
        raise HTTPException(400)

@app.get("/turned", dependencies=[Depends(turning)])
def turned():
    raise ValueError from KeyError("k")

@app.get("/hidden", dependencies=[Depends(hiding)])
async def hidden():
    raise ValueError

# --- end of preamble
"""


def test_causes_and_contexts_are_fastapis() -> None:
    """Handlers read them: the position in a broken body is in the `json.JSONDecodeError` that caused the 422."""
    pair = Pair(PREAMBLE + CHAINS)
    json_type = ((b"content-type", b"application/json"),)

    for path in ("/whole", "/embedded", "/shown"):
        for body in (b"{", b"\xff", b"[[[", b"{}", b"1" * 5000, b"[" * 100000):
            pair.request(Sent("POST", path, headers=json_type, chunks=(body,)))
        pair.request(Sent("POST", path, headers=json_type, chunks=(b"{",), leaves=True))
    broken = pair.request(Sent("POST", "/whole", headers=json_type, chunks=(b"{",)))
    assert broken.log[0][:2] == ("RequestValidationError", ("JSONDecodeError", None, None, False))
    pair.request(Sent("POST", "/form", headers=((b"content-type", b"multipart/form-data; boundary=a"),)))
    for path in ("/wrong", "/late", "/unwritable", "/turned", "/hidden", "/nowhere"):
        pair.get(path)


@pytest.mark.parametrize("kind", ["RequestValidationError", "ResponseValidationError"])
def test_an_error_of_validation_has_fastapis_arguments(kind: str) -> None:
    """Programs log the repr of an exception, and error trackers group by it."""
    source = (
        f"@app.exception_handler({kind})\ndef on(request, exc):\n"
        "    return JSONResponse([repr(exc), repr(exc.args), repr(exc.errors()), repr(exc.body)])\n"
        "@app.get('/')\ndef read(q: int = 0) -> int:\n    return 'x'\n"
        "@app.get('/wrapped', response_class=PlainTextResponse)\ndef wrapped() -> int:\n    return 'x'\n"
    )
    pair = Pair(PREAMBLE + ERRORS + source)

    pair.get("/")
    pair.get("/", b"q=x")
    pair.get("/wrapped")
