"""Whole applications, drawn: routers in routers, dependencies, every kind of parameter, body, answer, stream and
WebSocket, middleware and handlers of exceptions, with requests that are valid, nearly valid and hostile.

The other tests of this folder draw one room each; here the rooms meet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .differences import DECLARED
from .harness import END_OF_PREAMBLE, Pair, Sent
from .strategies import (
    CONTENT_TYPES,
    Param,
    body_kinds,
    json_bodies,
    params,
    requests,
    scalar_kinds,
    sequence_kinds,
)
from .test_bodies import body_values
from .test_dependencies import CHUNKS, ENDINGS, Graph, arguments, dependency, depends
from .test_errors import BODIES as HANDLED, RAISED
from .test_forms import FORMS, form_bodies, form_params
from .test_middleware import BODIES as LAYERED, LAYER_CLASSES
from .test_openapi import APP, DOCS, NAMES, ROUTE, ROUTER
from .test_responses import EXTRAS, INJECTED, ITEMS, OPTIONS, SHAPES, STREAM_TYPES, TYPES, VALUES
from .test_websockets import INCOMING, STEPS

Messages = tuple[dict[str, Any], ...]

WORLD = (
    SHAPES
    + EXTRAS
    + NAMES.partition(END_OF_PREAMBLE)[0]
    + FORMS.partition(END_OF_PREAMBLE)[0]
    + CHUNKS
    + """
from collections.abc import AsyncIterable, Iterable
from fastapi import WebSocketDisconnect, WebSocketException
from fastapi.exceptions import RequestValidationError, ResponseValidationError, WebSocketRequestValidationError
from fastapi.responses import EventSourceResponse
from fastapi.security import APIKeyCookie, APIKeyQuery, HTTPBasic, HTTPDigest, OAuth2PasswordRequestForm
from fastapi.sse import ServerSentEvent
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware

log = []
refused = []

class Mine(Exception):
    pass

class Other(Mine):
    pass

class Teapot(HTTPException):
    def __init__(self):
        super().__init__(418, "teapot", headers={"x-tea": "1"})

class Both(Other, ValueError):
    pass

class Many(BaseModel):
    model_config = ConfigDict(extra="ignore")
    limit: int = Field(10, gt=0, le=100)
    order: Literal["up", "down"] = "up"
    tags: list[str] = []
    x_own: str | None = Field(None, alias="xOwn")

class Narrow(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: int = 3

async def later(number):
    log.append(number)

async def breaking():
    yield b"a"
    raise Other("midway")

class Timed(APIRoute):
    def get_route_handler(self):
        inner = super().get_route_handler()
        async def timed(request):
            log.append("before")
            response = await inner(request)
            response.headers["x-timed"] = "1"
            return response
        return timed

"""
    + LAYER_CLASSES
    + """
async def bare(scope, receive, send):
    await PlainTextResponse(f"bare {scope['path']} {scope['root_path']}")(scope, receive, send)

basic = HTTPBasic(realm="r")
digest = HTTPDigest(auto_error=False)
asked = APIKeyQuery(name="key")
baked = APIKeyCookie(name="key", auto_error=False)
strict_bearer = HTTPBearer()

def allowed(scopes: SecurityScopes, token: Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="t"))]):
    return f"{token} {scopes.scope_str}"

"""
    + END_OF_PREAMBLE
)

SECURITY = (
    "Depends(basic)", "Depends(digest)", "Depends(asked)", "Depends(baked)", "Security(strict_bearer)",
    "Security(allowed, scopes=['a', 'b'])", "Security(user, scopes=['b'])", "Depends(key)",
)  # fmt: skip
CREDENTIALS = (
    (b"authorization", b"Bearer abc"), (b"authorization", b"bearer  x"), (b"authorization", b"Basic dTpw"),
    (b"authorization", b"Basic !"), (b"authorization", b"Basic w7w6"), (b"authorization", b"Basic /w=="),
    (b"authorization", b""), (b"authorization", b"Digest x"), (b"x-key", b"k"), (b"cookie", b"key=c"),
)  # fmt: skip
ODD_HEADERS = (
    (b"content-type", b"application/json"), (b"content-type", b"multipart/form-data"), (b"accept", b"*/*"),
    (b"cookie", b"c0=1; c0=2; ;=;x"), (b"range", b"bytes=0-1"), (b"expect", b"100-continue"), (b"x-h", b"\xff"),
    (b"content-length", b"1"), (b"transfer-encoding", b"chunked"), (b"origin", b"http://a"), (b"x-h", b""),
    (b"last-event-id", b"3"), (b"content-encoding", b"gzip"), (b"host", b"other"), (b"forwarded", b"for=x"),
)  # fmt: skip
OVERRIDDEN = "app.dependency_overrides[{}] = {}\n"
KEYS = ("Mine", "Other", "ValueError", "Exception", "404", "405", "418", "HTTPException", "StarletteHTTPException",
        "RequestValidationError", "ResponseValidationError", "WebSocketRequestValidationError", "WebSocketException",
        "500", "422")  # fmt: skip
MODELS = ("q: Annotated[Many, Query()]", "q: Annotated[Narrow, Query()]", "h: Annotated[Many, Header()]",
          "c: Annotated[Many, Cookie()]")  # fmt: skip
# A handler that is called for what another has raised waits for a body that has been read, for ever, by ASGI's door.
ANSWERS = tuple(body for body in HANDLED if "request.body()" not in body)
MODEL_QUERIES = (b"limit=5&tags=a&tags=b", b"limit=0", b"order=up&xOwn=1&x_own=2", b"limit=x&other=1", b"tags=")


@dataclass(frozen=True)
class Operation:
    """A path operation: the part of a program, and what a request for it needs."""

    name: str
    text: str
    method: str
    params: tuple[Param, ...] = ()
    bodies: SearchStrategy[Any] | None = None
    form: tuple[Param, ...] = ()
    is_socket: bool = False
    prefix: str = ""


@dataclass(frozen=True)
class Program:
    """The source of an application, and what is sent to it: with messages where a WebSocket is opened."""

    source: str
    sent: tuple[tuple[Sent, Messages | None], ...] = ()


@dataclass
class Drawing:
    """What has been drawn of a program so far."""

    graph: Graph
    operations: list[Operation] = field(default_factory=list)
    text: str = ""

    def attempt(self, name: str, text: str) -> str:
        """Write a statement whose refusal does not end the program; both frameworks must refuse the same."""
        lines = "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
        return f"try:\n{lines}except Exception as exc:\n    refused.append({name!r})\n"


def _own(text: str) -> str:
    """Name the exceptions of test_errors.py as they are named here: `Base` is a model."""
    return text.replace("Base(", "Mine(").replace("Derived(", "Other(")


def _block(head: str, body: Sequence[str]) -> str:
    lines = [line for part in body if part for line in part.splitlines()]
    return f"{head}:\n" + "".join(f"    {line}\n" for line in lines)


@st.composite
def _options(draw: st.DrawFn, options: tuple[str, ...], most: int) -> list[str]:
    return draw(st.lists(st.sampled_from(options), max_size=most, unique_by=lambda option: option.split("=")[0]))


@st.composite
def _parameters(draw: st.DrawFn, sources: tuple[str, ...], most: int) -> tuple[Param, ...]:
    kinds = {"path": scalar_kinds, "cookie": scalar_kinds}
    chosen = draw(st.lists(st.sampled_from(sources), max_size=most))
    return tuple(
        draw(
            params(
                f"{source[0] if source != 'path' else 'w'}{i}", source, kinds.get(source, scalar_kinds | sequence_kinds)
            )
        )
        for i, source in enumerate(chosen)
    )


@st.composite
def _ending(draw: st.DrawFn, seen: str) -> tuple[list[str], str, list[str]]:
    """Draw what an endpoint does at last: its lines, its return annotation, its route's options."""
    kind = draw(st.sampled_from(["show", "show", "value", "value", "raise", "end"]))
    if kind == "show":
        return [f"return [{seen}]"], "", []
    if kind == "raise":
        statement = _own(draw(st.sampled_from(RAISED)))
        return [statement], "", []
    if kind == "end":
        return [draw(st.sampled_from(ENDINGS))], "", []
    options = draw(_options(OPTIONS, 2))
    returns = draw(st.sampled_from(TYPES))
    values = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4))
    lines = [f"return [{', '.join(f'lambda: {value}' for value in values)}][which % {len(values)}]()"]
    return lines, f" -> {returns}" if returns else "", options


@st.composite
def _stream(draw: st.DrawFn, style: str) -> tuple[list[str], str, list[str]]:
    lines = [f"yield {item}" for item in draw(st.lists(st.sampled_from(ITEMS), max_size=3))]
    if draw(st.integers(0, 4)) == 0:
        lines.append(draw(st.sampled_from(["raise ValueError('v')", "raise HTTPException(409, 'late')", "return"])))
    if not any("yield" in line for line in lines):
        lines.append("yield 1")
    returns = draw(st.sampled_from(STREAM_TYPES))
    option = draw(st.sampled_from(["", "", "response_class=EventSourceResponse", "response_class=StreamingResponse"]))
    lines = [line.replace("Wide(n=2)", "Wide(a=2)") for line in lines]
    return [*lines, "log.append('end')"], returns if style == "async def" else returns.replace("Async", ""), [option]


@st.composite
def _operation(draw: st.DrawFn, router: str, index: int, graph: Graph) -> Operation:
    kind = draw(st.sampled_from(["plain", "plain", "plain", "body", "body", "form", "stream", "socket"]))
    declared = draw(_parameters(("path", "query", "query", "header", "cookie"), 3))
    path = f"/o{index}" + "".join(f"/{{{param.names[0]}}}" for param in declared if param.source == "path")
    path += draw(st.sampled_from(["", "", "", "/"]))
    own = Graph(graph.scopes, graph.is_tree, list(graph.names), list(graph.free))
    used = draw(arguments(own, top=True)) if draw(st.booleans()) else []
    listed = [draw(depends(name, own, True)) for name in own.pick(draw, 1)] if draw(st.integers(0, 2)) == 0 else []
    if draw(st.integers(0, 3)) == 0:
        listed.append(draw(st.sampled_from(SECURITY)))
    names = [param.declaration.partition(":")[0] for param in declared]
    model = (
        draw(st.sampled_from(MODELS))
        if draw(st.integers(0, 7)) == 0 and not {"query"} & {p.source for p in declared}
        else ""
    )
    parameters = [*(param.declaration for param in declared), *used, *([model] if model else [])]
    seen = [f"show({name})" for name in names] + [f"repr({text.partition(':')[0]})" for text in used]
    seen += [f"show({model[0]})"] if model else []
    if kind == "socket":
        return draw(_socket(router, index, path, declared, parameters, ", ".join(seen), listed))
    bodies: tuple[Param, ...] = ()
    form: tuple[Param, ...] = ()
    if kind == "body":
        bodies = tuple(draw(params(f"b{i}", "body", body_kinds)) for i in range(draw(st.sampled_from([1, 1, 1, 2]))))
    elif kind == "form":
        form = draw(form_params())
    parameters += [param.declaration for param in (*bodies, *form)]
    seen += [f"show({param.declaration.partition(':')[0]})" for param in (*bodies, *form)]
    style = draw(st.sampled_from(["async def", "async def", "def"]))
    injected = draw(st.sampled_from(("", "", "", *INJECTED)))
    if kind == "stream":
        lines, arrow, options = draw(_stream(style))
    else:
        lines, arrow, options = draw(_ending(", ".join(seen)))
    parameters += ["which: int = 0"] if "which" in lines[0] else []
    parameters += ["response: Response"] if "response." in injected else []
    parameters += ["background: BackgroundTasks"] if "background." in injected else []
    taken = {option.split("=")[0] for option in options}
    options += [text for text in draw(_options(ROUTE, 2)) if text.split("=")[0] not in {*taken, "dependencies"}]
    options = [option.format(index=index) if "{index}" in option else option for option in options if option]
    options += [f"dependencies=[{', '.join(listed)}]"] if listed else []
    method = draw(
        st.sampled_from(["post", "put", "patch"] if bodies or form else ["get", "get", "get", "post", "delete"])
    )
    head = f"{style} e{index}({', '.join(['*', *parameters]) if parameters else ''}){arrow}"
    doc = draw(st.sampled_from(DOCS)) if draw(st.integers(0, 5)) == 0 else ""
    text = f"@{router}.{method}({', '.join([repr(path), *options])})\n"
    text += f"{head}:\n{doc}" + _block("", [f"log.append('e{index}')", injected, *lines]).partition("\n")[2]
    values = body_values(bodies, len(bodies) == 1) if bodies else None
    return Operation(f"e{index}", text, method.upper(), declared, values, form)


@st.composite
def _socket(
    draw: st.DrawFn, router: str, index: int, path: str, declared: tuple[Param, ...], parameters: list[str],
    seen: str, listed: list[str],
) -> Operation:  # fmt: skip
    steps = draw(st.lists(st.sampled_from(STEPS), max_size=4))
    if draw(st.integers(0, 4)):
        steps.insert(0, "await websocket.accept()")
    option = f", dependencies=[{', '.join(listed)}]" if listed else ""
    text = f"@{router}.websocket({path!r}{option})\n"
    taken = ", ".join(["websocket: WebSocket", *(["*", *parameters] if parameters else [])])
    text += _block(f"async def e{index}({taken})", [f"seen = [{seen}]", *steps])
    return Operation(f"e{index}", text, "GET", declared, is_socket=True)


@st.composite
def _routers(draw: st.DrawFn, drawing: Drawing, router: str, prefix: str, depth: int) -> str:
    """Draw what is in a router, and the routers in it."""
    text = ""
    for _ in range(draw(st.integers(1, 3 if depth == 3 else 2))):
        operation = draw(_operation(router, len(drawing.operations), drawing.graph))
        drawing.operations.append(replace(operation, prefix=prefix))
        text += drawing.attempt(operation.name, operation.text)
    if depth and draw(st.booleans()):
        name = f"r{len(drawing.operations)}"
        own, at = (draw(st.sampled_from(["", "", "/a", "/v1", "/x/y", "/{z}"])) for _ in range(2))
        at = at if "z" not in own and "{z}" not in prefix else at.replace("/{z}", "/b")
        own = own if "{z}" not in prefix else own.replace("/{z}", "/c")
        options = [f"prefix={own!r}", *draw(_options(ROUTER, 2))]
        if draw(st.integers(0, 4)) == 0:
            options.append("route_class=Timed")
        if not drawing.graph.is_tree and drawing.graph.names and draw(st.integers(0, 3)) == 0:
            options = [option for option in options if not option.startswith("dependencies")]
            options.append(
                f"dependencies=[{draw(depends(draw(st.sampled_from(drawing.graph.names)), drawing.graph, False))}]"
            )
        inside = draw(_routers(drawing, name, prefix + at + own, depth - 1))
        into = [name, f"prefix={at!r}", *draw(_options(ROUTER, 1))]
        include = drawing.attempt(f"{router} {name}", f"{router}.include_router({', '.join(into)})")
        made = f"{name} = APIRouter({', '.join(options)})\n"
        text += made + (inside + include if draw(st.integers(0, 3)) else include + inside)
    return text


@st.composite
def _around(draw: st.DrawFn) -> str:
    """Draw handlers of exceptions and middleware."""
    text = ""
    for index, key in enumerate(draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True))):
        if "WebSocket" in key:
            text += f"@app.exception_handler({key})\n"
            text += _block(f"async def h{index}(websocket, exc)", ["log.append('ws')", "await websocket.close(4422)"])
            continue
        body = _own(draw(st.sampled_from(ANSWERS))).replace("NAME", f"'h{index}'")
        style = "async def" if "await" in body else draw(st.sampled_from(["async def", "def"]))
        text += (
            f"@app.exception_handler({key})\n{style} h{index}(request, exc):\n    log.append('h{index}')\n    {body}\n"
        )
    for index in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        layer = draw(st.sampled_from(["function", "Layer", "Based", "CORSMiddleware, allow_origins=['http://a']"]))
        if layer == "function":
            body = draw(st.sampled_from(LAYERED)).format(index=index)
            text += f"@app.middleware('http')\nasync def m{index}(request, call_next):\n    {body}\n"
        else:
            text += f"app.add_middleware({layer})\n"
    return text


@st.composite
def _sent(draw: st.DrawFn, operation: Operation) -> tuple[Sent, Messages | None]:
    """Draw a request for an operation; at times one that it is not made for."""
    index = operation.name[1:]
    start = re.sub(r"\{[^}]*\}", "z", operation.prefix) + f"/o{index}"
    sent: Sent = draw(requests(operation.params, method=operation.method, path=start))
    headers = sent.headers
    chunks = sent.chunks
    if operation.bodies is not None or operation.form:
        body = form_bodies(operation.form) if operation.form else json_bodies(operation.bodies)  # type: ignore[arg-type]
        chunks, more = draw(body)
        headers = (*headers, *more)
    query = sent.query
    if "which" in operation.text:
        query = b"&".join(part for part in (query, b"which=%d" % draw(st.integers(0, 4))) if part)
    if "Many" in operation.text or "Narrow" in operation.text:
        query = b"&".join(part for part in (query, draw(st.sampled_from(MODEL_QUERIES))) if part)
    if (
        re.search(r"basic|digest|strict_bearer|allowed|user|key|asked|baked", operation.text)
        or draw(st.integers(0, 9)) == 0
    ):
        headers = (*headers, *draw(st.lists(st.sampled_from(CREDENTIALS), max_size=2)))
        query += draw(st.sampled_from([b"", b"&key=k"]))
    path = sent.path + ("/" if f"/o{index}/'" in operation.text or "}/'" in operation.text else "")
    sent = replace(sent, path=path, query=query, headers=headers, chunks=chunks)
    if draw(st.integers(0, 3)) == 0:
        # Of a stream, what is made while the client leaves is chance.
        sent = draw(_hostile(sent, may_leave=re.search("yield|Stream|chunks|breaking", operation.text) is None))
    incoming = tuple(draw(st.lists(INCOMING, max_size=3))) if operation.is_socket else None
    if draw(st.integers(0, 40)) == 0:
        incoming = () if incoming is None else None
    return sent, incoming


@st.composite
def _hostile(draw: st.DrawFn, sent: Sent, may_leave: bool) -> Sent:
    way = draw(
        st.sampled_from(["method", "slash", "path", "header", "headers", "type", "leaves", "root", "body", "query"])
    )
    if way == "method":
        return replace(
            sent, method=draw(st.sampled_from(["HEAD", "OPTIONS", "POST", "GET", "PUT", "TRACE", "FOO", "get"]))
        )
    if way == "slash":
        return replace(sent, path=sent.path[:-1] or "/" if sent.path.endswith("/") else sent.path + "/")
    if way == "path":
        path = draw(
            st.sampled_from(["/", "//", "/docs", "/openapi.json", "/redoc", "/sub/x", "/sub", "/bare/x", "", "/é%"])
        )
        return replace(
            sent, path=draw(st.sampled_from([path, sent.path + "/more", "/" + sent.path, sent.path.upper()]))
        )
    if way == "header":
        return replace(sent, headers=(*sent.headers, draw(st.sampled_from(ODD_HEADERS))))
    if way == "headers":
        return replace(sent, headers=(*sent.headers, *sent.headers[:2]))
    if way == "type":
        rest = tuple(pair for pair in sent.headers if pair[0] != b"content-type")
        return replace(sent, headers=(*rest, (b"content-type", draw(st.sampled_from(CONTENT_TYPES)))))
    if way == "leaves" and may_leave:
        return replace(sent, leaves=True)
    if way == "root":
        return replace(sent, root_path=draw(st.sampled_from(["/root", "/a"])))
    if way == "body":
        return replace(sent, chunks=draw(st.sampled_from([(b"{",), (b"\xff",), (b"null",), (b"a=1",), (b"[]", b"")])))
    return replace(
        sent, query=draw(st.sampled_from([b"%", b"=", b"&&&", b"p0=%ff", b"which=1;which=2", b"q1=\xe9", b"q"]))
    )


@st.composite
def programs(draw: st.DrawFn, most: int = 20) -> Program:
    """Draw a program and at most so many requests for it."""
    drawing = Drawing(Graph(scopes=draw(st.booleans()), is_tree=draw(st.integers(0, 4)) == 0))
    text = draw(st.sampled_from(["", "", "", "from __future__ import annotations\n"]))
    for index in range(draw(st.integers(0, 4))):
        text += draw(dependency(index, drawing.graph)) + "\n"
        drawing.graph.add(f"d{index}")
    options = draw(_options(APP, 2))
    if draw(st.integers(0, 3)) == 0:
        options.append(f"dependencies=[{draw(st.sampled_from(SECURITY))}]")
    if draw(st.integers(0, 7)) == 0:
        options.append("redirect_slashes=False")
    text += f"app = FastAPI({', '.join(options)})\n" + draw(_around())
    text += draw(_routers(drawing, "app", "", 3))
    if draw(st.integers(0, 4)) == 0:
        place = len(drawing.operations)
        text += "sub = FastAPI()\n" + draw(_routers(drawing, "sub", "/sub", 0)) + "app.mount('/sub', sub)\n"
        drawing.operations[place:] = drawing.operations[place:]
    if draw(st.integers(0, 5)) == 0:
        text += "app.mount('/bare', bare)\n"
    if len(drawing.graph.names) > 1 and not drawing.graph.is_tree and draw(st.integers(0, 3)) == 0:
        old, new = draw(st.lists(st.sampled_from(drawing.graph.names), min_size=2, max_size=2, unique=True).map(sorted))
        text += f"app.dependency_overrides[{new}] = {old}\n"
    text += "said = tuple(refused)\n"
    count = draw(st.integers(most // 2, most))
    aims = [draw(st.sampled_from(drawing.operations)) for _ in range(count)]
    return Program(text, tuple(draw(_sent(operation)) for operation in aims))


def check(program: Program) -> int:
    """Run a program under both; raise for the first difference; return how many requests were sent."""
    pair = Pair(program.source, DECLARED, WORLD)
    if pair.is_refused:
        return 0
    refused = [side.module.__dict__["said"] for side in pair.sides]
    if refused[0] != refused[1]:
        raise AssertionError(f"\n{pair.shown}\n--- refused\n--- fastapi\n{refused[0]}\n--- slipstream\n{refused[1]}\n")
    pair.openapi()
    for sent, messages in program.sent:
        if messages is None:
            pair.request(sent)
        else:
            pair.websocket(sent, messages)
    return len(program.sent)
