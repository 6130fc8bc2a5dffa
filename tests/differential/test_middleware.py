"""Middleware of all kinds around the same routes, and the lifespan beneath."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from .harness import Pair, Sent, Side
from .strategies import PREAMBLE, examples

LAYER_CLASSES = """
class Layer:
    def __init__(self, app, name="layer"):
        self.app, self.name = app, name

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        log.append(f"{self.name} in")
        async def tagged(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-layer", self.name.encode())]}
            await send(message)
        try:
            await self.app(scope, receive, tagged)
        finally:
            log.append(f"{self.name} out")

class Based(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-base"] = "1"
        return response
"""
"""Middleware: one of ASGI, one with a `dispatch` method."""

LAYERS = (
    """
import contextlib
from contextvars import ContextVar
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import StreamingResponse

log = []

class Mine(Exception):
    pass

"""
    + LAYER_CLASSES
    + """
def closing():
    log.append("open")
    yield
    log.append("closed")

async def parts():
    yield b"one"
    yield b"two"

@app.get("/ok")
def ok(q: int = 0):
    return {"ok": q, "pad": "x" * q}

@app.post("/echo")
async def echo(request: Request, background: BackgroundTasks):
    background.add_task(log.append, "task")
    return {"body": (await request.body()).decode("latin-1")}

@app.post("/model")
def model(item: Item):
    return item

@app.get("/stream", dependencies=[Depends(closing)])
def stream():
    return StreamingResponse(parts())

@app.get("/http")
def http():
    raise HTTPException(409, "conflict")

@app.get("/mine", dependencies=[Depends(closing)])
def mine():
    raise Mine("mine")

@app.get("/crash")
async def crash():
    raise ValueError("crash")

@app.exception_handler(Mine)
async def on_mine(request, exc):
    log.append("handler")
    return JSONResponse({"mine": str(exc)}, 444)

# --- end of preamble
"""
)

FUNCTION = "@app.middleware('http')\nasync def m{index}(request, call_next):\n    {body}\n"
BODIES = (
    "return await call_next(request)",
    "response = await call_next(request)\n    response.headers['x-m{index}'] = '1'\n    return response",
    "return PlainTextResponse('cut short', 299) if 'cut' in request.query_params else await call_next(request)",
    "log.append(('m{index}', request.url.path))\n    response = await call_next(request)\n"
    "    log.append(response.status_code)\n    return response",
    "await request.body()\n    return await call_next(request)",
    "response = await call_next(request)\n    response.set_cookie('m', '{index}')\n    response.status_code = 208\n"
    "    return response",
    "request.state.seen = 1\n    return await call_next(request)",
    "try:\n        return await call_next(request)\n    except Exception as exc:\n"
    "        log.append(repr(exc))\n        return PlainTextResponse('caught', 500)",
)
CLASSES = (
    "app.add_middleware(Layer, name='p{index}')\n",
    "app.add_middleware(Based)\n",
    "app.add_middleware(CORSMiddleware, allow_origins=['http://a'], allow_methods=['GET'], allow_credentials=True)\n",
    "app.add_middleware(TrustedHostMiddleware, allowed_hosts=['testserver'])\n",
    "app.user_middleware.append(Middleware(Layer, name='u{index}'))\n",
)


@st.composite
def stacks(draw: st.DrawFn) -> str:
    """Draw middleware, innermost first.

    GZip stands beneath the rest: it adds `Vary` to what comes in several messages, and a response that passed FastAPI's
    function middleware always does, while through slipstream's it stays in one.
    """
    text = draw(st.sampled_from(["", "", "app.add_middleware(GZipMiddleware, minimum_size=50)\n"]))
    for index in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            text += FUNCTION.format(index=index, body=draw(st.sampled_from(BODIES)).format(index=index))
        else:
            text += draw(st.sampled_from(CLASSES)).format(index=index)
    return text


@examples(45)
@given(data=st.data())
def test_layers_of_middleware_see_and_do_what_they_do_under_fastapi(data: Any) -> None:
    """Order, headers, bodies that are read twice, exceptions and answers cut short are the same through any stack."""
    pair = Pair(PREAMBLE + LAYERS + data.draw(stacks()))
    for path in ("/ok", "/stream", "/http", "/mine", "/crash", "/nowhere", "/ok/"):
        query = data.draw(st.sampled_from([b"", b"q=x", b"q=200", b"cut=1"]))
        origin = data.draw(st.sampled_from([(), ((b"origin", b"http://a"),), ((b"origin", b"http://b"),)]))
        encoding = data.draw(st.sampled_from([(), ((b"accept-encoding", b"gzip"),)]))
        pair.request(Sent("GET", path, query, (*origin, *encoding)))
    for path, body in (("/echo", b"bytes"), ("/model", b'{"name": "n"}'), ("/model", b"{"), ("/ok", b"")):
        chunks = data.draw(st.sampled_from([(body,), (body[:2], body[2:])]))
        pair.request(Sent("POST", path, b"", ((b"content-type", b"application/json"),), chunks))
    preflight = ((b"origin", b"http://a"), (b"access-control-request-method", b"GET"))
    pair.request(Sent("OPTIONS", "/ok", b"", preflight))


LIFESPAN = """
import contextlib

log = []

@contextlib.asynccontextmanager
async def whole(app):
    log.append("start")
    FAIL_START
    yield {"db": 1}
    FAIL_STOP
    log.append("stop")

@contextlib.asynccontextmanager
async def part(app):
    log.append("part start")
    yield {"part": 2}
    log.append("part stop")

def begin():
    log.append("begin")

# --- end of preamble
"""


async def _ask(side: Side) -> Any:
    outcome = await side._request(Sent(path="/state"))
    side.log.append("asked")
    return outcome.status


@examples(40)
@given(data=st.data())
def test_lifespans_start_and_stop_as_under_fastapi(data: Any) -> None:
    """State, order and failures of start-up and shut-down are the same for any mix of lifespans and routers."""
    fails = data.draw(
        st.sampled_from([("", ""), ("", ""), ("raise ValueError('no')", ""), ("", "raise ValueError('no')")])
    )
    app = data.draw(
        st.sampled_from(["app = FastAPI(lifespan=whole)", "app = FastAPI()", "app = FastAPI(lifespan=part)"])
    )
    router = data.draw(st.sampled_from(["APIRouter(lifespan=part)", "APIRouter()", "APIRouter(lifespan=whole)"]))
    source = f"{app}\nrouter = {router}\ninner = APIRouter(lifespan=part)\n"
    source += data.draw(st.sampled_from(["", "router.include_router(inner)\n"]))
    source += "@app.get('/state')\ndef state(request: Request):\n    return 1\n"
    source += data.draw(
        st.sampled_from(["", "app.include_router(router)\n", "app.include_router(router, prefix='/r')\n"])
    )
    text = LIFESPAN.replace("FAIL_START", fails[0] or "pass").replace("FAIL_STOP", fails[1] or "pass")

    Pair(PREAMBLE + text + source).lifespan(_ask)


@pytest.mark.parametrize("raised", ["exc", "Mine('again')", "HTTPException(410)", "KeyError('k')"])
@pytest.mark.parametrize("caught", ["404", "Mine", "HTTPException"])
@pytest.mark.parametrize("layer", ["", "app.add_middleware(Layer)\n", "app.add_middleware(Based)\n"])
def test_what_a_handler_raises_is_given_to_handlers_once_more_and_no_more(raised: str, caught: str, layer: str) -> None:
    """By the guard around the routes; beyond the middleware around that, FastAPI answers 500."""
    handler = (
        f"@app.exception_handler({caught})\nasync def on(request, exc):\n    log.append('on')\n    raise {raised}\n"
    )
    pair = Pair(PREAMBLE + LAYERS + layer + handler)
    for path in ("/nowhere", "/http", "/mine", "/ok"):
        pair.get(path)
