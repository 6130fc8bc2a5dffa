"""What an endpoint returns and what becomes of it: response models, classes, status codes, injected responses."""

import pytest
from hypothesis import given, strategies as st

from .differences import BOUNDARY, EARLY, EMPTY_205, UNFINISHED, UNSPEAKABLE_RESULT
from .harness import END_OF_PREAMBLE, Pair, Sent, load
from .strategies import PREAMBLE, examples

SHAPES = PREAMBLE.partition(END_OF_PREAMBLE)[0] + (
    "\n"
    "class Base(BaseModel):\n"
    "    a: int\n"
    "    b_c: str = Field('d', alias='bC')\n"
    "\n"
    "class Wide(Base):\n"
    "    secret: str = 's'\n"
    "    when: datetime | None = None\n"
    "    sub: Sub | None = None\n"
    "    price: Decimal = Decimal('1.50')\n"
    "    blob: bytes = b'x'\n"
    "    colour: Colour = Colour.red\n"
    "    floating: float = 1.0\n"
    "\n"
    "class Plain:\n"
    "    def __init__(self):\n"
    "        self.a, self.bC = 1, 'attr'\n"
    "\n"
    "class Attributes(BaseModel):\n"
    "    model_config = ConfigDict(from_attributes=True)\n"
    "    a: int\n"
)

TYPES = (
    None, "Base", "Wide", "list[Base]", "dict[str, Wide]", "Base | None", "Union[Base, Sub]", "Union[Wide, Base]",
    "Any", "int", "str", "float", "bytes", "datetime", "dict", "list", "Point", "Movie", "Pair", "None", "Box[Base]",
    "Names",
    "set[int]", "tuple[int, str]", "Attributes", "Decimal", "Colour", "Annotated[int, Field(ge=2)]", "Literal['x']",
    "Response", "JSONResponse", "timedelta", "UUID", "Checked", "Strict", "object", "Optional[Response]",
)  # fmt: skip

VALUES = (
    "Base(a=1)", "Base(a=1, bC='z')", "Wide(a=1, bC='z', secret='t')", "Wide(a=2, when=datetime(2024, 1, 2, 3, 4, 5))",
    "{'a': 1}", "{'a': 1, 'bC': 'e', 'other': 2}", "{'a': 'x'}", "{'b_c': 'n', 'a': 1}", "[Base(a=1), Wide(a=2)]",
    "[{'a': 1}, {'a': 2, 'secret': 3}]", "{'k': Wide(a=1, sub=Sub(n=1))}", "None", "1", "'x'", "1.5", "float('nan')",
    "b'raw'", "datetime(2024, 2, 29, 1, 2, 3)", "Point(1)", "Point('y', 2)", "Pair(1, 'r')",
    "Box[Base](inside=Wide(a=1))",
    "Names(['a'])", "{3}", "(1, 'a')", "Plain()", "Decimal('1.10')", "Colour.blue", "timedelta(seconds=90)", "True",
    "{}", "[]", "{'title': 't', 'year': 3}", "UUID(int=5)", "{1: 'int key'}", "{None: 1}", "'\\u20ac\\u2028<&>'",
    "'\\ud800'",
    "Sub(n=1)", "Checked.model_construct(low=5, high=1)", "{'a': float('inf')}", "10**30", "object()", "lambda: 1",
    "{'_sa_x': 1, 'a': 2}", "Wide.model_construct(a='wrong')", "(each for each in [1, 2])", "Exception('x')",
    "[None, 1]", "Attributes(a=1)", "frozenset()", "{Colour.red: Level.low}", "Strict(a=1)", "Cat(kind='cat')",
    "JSONResponse({'direct': 1}, status_code=203, headers={'x-d': '1'})", "PlainTextResponse('text')",
    "Response(b'bytes', media_type='x/y')", "Response(status_code=204)", "Response()", "'a' * 200", "[1.0, 2, 1e22]",
)  # fmt: skip

OPTIONS = (
    "response_model_exclude_unset=True", "response_model_exclude_defaults=True", "response_model_exclude_none=True",
    "response_model_by_alias=False", "response_model_include={'a'}", "response_model_exclude={'a', 'secret'}",
    "response_model_include=['a', 'bC']", "response_model_exclude={'sub': {'n'}}", "response_model_include={0: {'a'}}",
    "status_code=201", "status_code=204", "status_code=304", "status_code=205", "status_code=None",
    "response_class=JSONResponse", "response_class=PlainTextResponse", "response_class=Response",
    "response_class=HTMLResponse", "response_class=Custom", "response_class=RedirectResponse", "response_model=None",
    "response_description='D'", "responses={404: {'model': Sub, 'description': 'gone'}, 418: {'content': {'x/y': {}}}}",
)  # fmt: skip

EXTRAS = (
    "from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse, FileResponse\n"
    "\n"
    "class Custom(JSONResponse):\n"
    "    media_type = 'application/custom+json'\n"
    "    def render(self, content):\n"
    "        return b'custom:' + repr(content).encode('utf-8', 'replace')\n"
)

INJECTED = (
    "",
    "response.headers['x-set'] = 'v'",
    "response.set_cookie('k', 'v'); response.set_cookie('l', 'w', httponly=True)",
    "response.status_code = 202",
    "response.status_code = 204",
    "response.headers['content-type'] = 'text/other'",
    "response.headers.append('x-many', '1'); response.headers.append('x-many', '2')",
    "response.headers['content-length'] = '3'",
    "background.add_task(log.append, 'one'); background.add_task(log.append, 'two')",
    "response.delete_cookie('k'); response.status_code = 418; background.add_task(later, 3)",
    "raise HTTPException(status_code=409, detail={'why': ['so']}, headers={'x-h': '1'})",
    "response.status_code = 304",
)

BACKGROUND = "\nlog = []\n\nasync def later(number):\n    log.append(number)\n" + END_OF_PREAMBLE


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Draw an application whose one endpoint returns a drawn value."""
    options = draw(st.lists(st.sampled_from(OPTIONS), max_size=3, unique_by=lambda option: option.split("=")[0]))
    returns = draw(st.sampled_from(TYPES))
    place = draw(st.sampled_from(["annotation", "annotation", "option", "both"]))
    if returns is not None and place != "annotation" and not any("response_model=" in option for option in options):
        options.append(f"response_model={returns}")
    other = draw(st.sampled_from(["Wide", "dict", "Any"]))
    annotated = {"annotation": returns, "option": None, "both": other}[place] if returns else None
    arrow = f" -> {annotated}" if annotated else ""
    injected = draw(st.sampled_from(("", "", *INJECTED)))
    names = [name for name in ("response", "background") if f"{name}." in injected]
    kinds = {"response": "response: Response", "background": "background: BackgroundTasks"}
    values = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=6))
    parameters = ", ".join([*(kinds[name] for name in names), "which: int"])
    default = draw(st.sampled_from(["FastAPI()", "FastAPI()", "FastAPI(default_response_class=Custom)"]))
    return (
        f"\napp = {default}\n\n@app.get({', '.join([repr('/'), *options])})\n"
        + f"{draw(st.sampled_from(['async def', 'def']))} endpoint({parameters}){arrow}:\n"
        + (f"    {injected}\n" if injected else "")
        + f"    return [{', '.join(f'lambda: {value}' for value in values)}][which]()\n"
        + f"\nCOUNT = {len(values)}\n"
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:the endpoint returned an exception")  # which is served all the same
@examples(80)
@given(source=sources())
def test_what_an_endpoint_returns_becomes_what_fastapi_makes_of_it(source: str) -> None:
    """Bytes, headers in order, status and errors on the server's side are FastAPI's, whatever is returned."""
    pair = Pair(SHAPES + EXTRAS + BACKGROUND + source, (EMPTY_205, UNSPEAKABLE_RESULT))
    if pair.is_refused:
        return
    pair.openapi()
    for which in range(pair.ours.module.__dict__["COUNT"]):
        pair.get("/", f"which={which}".encode())


STREAMS = """
import pathlib
from collections.abc import AsyncIterable, Iterable
from fastapi.responses import EventSourceResponse, FileResponse, RedirectResponse, StreamingResponse
from fastapi.sse import ServerSentEvent

log = []

def tidy():
    log.append("open")
    try:
        yield "dep"
    except BaseException as exc:
        log.append(f"hears {type(exc).__name__}")
        raise
    finally:
        log.append("closed")

class Wide(Sub):
    secret: str = "s"

HERE = pathlib.Path(WHERE)

# --- end of preamble
"""

STREAM_TYPES = (
    "",
    " -> AsyncIterable[Sub]",
    " -> AsyncIterable[int]",
    " -> AsyncIterable[str]",
    " -> AsyncIterable[Any]",
    " -> AsyncIterable[bytes]",
    " -> AsyncIterable[ServerSentEvent]",
    " -> AsyncIterable[Sub | None]",
)

ITEMS = (
    "Sub(n=1)",
    "Wide(n=2)",
    "{'n': 3, 'more': 4}",
    "{'n': 'x'}",
    "5",
    "'text'",
    "'two\\nlines'",
    "b'bytes'",
    "None",
    "1.5",
    "[1, {'a': None}]",
    "datetime(2024, 1, 2)",
    "ServerSentEvent(data={'a': 1}, event='e', id='7', retry=5)",
    "'\\u20ac'",
    "ServerSentEvent(raw_data='raw\\ndata')",
    "ServerSentEvent(comment='c')",
    "float('nan')",
    "''",
    "Item(name='n')",
    "ServerSentEvent(data=Sub(n=9))",
    "ServerSentEvent(data='text', id='')",
    "object()",
    "Colour.red",
    "memoryview(b'm')",
)


@st.composite
def streams(draw: st.DrawFn) -> str:
    """Draw an endpoint that yields."""
    options = draw(
        st.sampled_from(
            [
                "",
                "",
                ", response_class=EventSourceResponse",
                ", response_class=EventSourceResponse",
                ", response_class=StreamingResponse",
                ", response_class=Raw",
                ", response_class=Joined",
                ", status_code=203",
                ", response_model_exclude_unset=True",
                ", response_model=Sub",
                ", response_class=JSONResponse",
            ]
        )
    )
    returns = draw(st.sampled_from(STREAM_TYPES))
    style = draw(st.sampled_from(["async def", "def"]))
    returns = returns if style == "async def" else returns.replace("Async", "")
    dependency = draw(
        st.sampled_from(
            [
                "",
                "",
                "a: Annotated[str, Depends(tidy)]",
                "q: int",
                "response: Response",
                "a: Annotated[str, Depends(tidy, scope='function')]",
            ]
        )
    )
    lines = [f"yield {item}" for item in draw(st.lists(st.sampled_from(ITEMS), max_size=4))]
    if draw(st.integers(0, 3)) == 0:
        wrong = draw(st.sampled_from(["raise ValueError('v')", "raise HTTPException(409, 'late')", "return"]))
        lines.insert(draw(st.integers(0, len(lines))), wrong)
    if dependency.startswith("response"):
        lines.insert(0, "response.headers['x-a'] = 'b'; response.status_code = 206")
    body = "".join(f"    {line}\n" for line in [*lines, "log.append('end')"])
    never = "" if any("yield" in line for line in lines) else "    yield 1\n"
    raw = "class Raw(StreamingResponse):\n    media_type = 'x/raw'\n\n"
    raw += "class Joined(Response):\n    def render(self, content):\n        return b'|'.join(content)\n\n"
    return f"{raw}@app.get('/'{options})\n{style} endpoint({dependency}){returns}:\n{body}{never}"


@examples(80)
@given(source=streams())
def test_what_an_endpoint_yields_is_sent_as_fastapi_sends_it(source: str) -> None:
    """JSON Lines, event streams and raw streams have FastAPI's bytes, and fail where FastAPI's fail."""
    pair = Pair(
        PREAMBLE + STREAMS.replace("WHERE", repr(__file__)) + source, (EMPTY_205, UNSPEAKABLE_RESULT, UNFINISHED, EARLY)
    )
    if pair.is_refused:
        return
    pair.openapi()
    pair.get("/", b"q=1")
    pair.get("/", b"q=x")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"range", b"bytes=0-9"),),
        ((b"range", b"bytes=-5"),),
        ((b"range", b"bytes=2-3,8-9"),),
        ((b"range", b"x"),),
        ((b"range", b"bytes=99999999-"),),
        ((b"if-range", b"no"), (b"range", b"bytes=0-1")),
    ],
)
@pytest.mark.parametrize(
    "returned",
    [
        "FileResponse(HERE)",
        "FileResponse(HERE, filename='a b\\u00e9.txt', media_type='x/y')",
        "FileResponse('/no/where')",
        "RedirectResponse('/x y?q=\\u00e9')",
        "RedirectResponse('http://a/', 303, background=None)",
        "HERE",
    ],
)
@pytest.mark.parametrize("options", ["", ", response_class=FileResponse", ", response_class=RedirectResponse"])
def test_files_and_redirects_are_answered_alike(
    returned: str, options: str, headers: tuple[tuple[bytes, bytes], ...], method: str
) -> None:
    """Ranges, names that need quoting and files that are not there are Starlette's business under both."""
    value = "str(HERE)" if returned == "HERE" else returned
    source = (
        f"@app.api_route('/', methods=['GET', 'HEAD']{options})\ndef endpoint(dep: Annotated[str, Depends(tidy)]):\n"
    )
    pair = Pair(PREAMBLE + STREAMS.replace("WHERE", repr(__file__)) + source + f"    return {value}\n", (BOUNDARY,))

    pair.request(Sent(method, headers=headers))


PRODUCED = """
def numbers(): yield from (1, {"a": 2}, ServerSentEvent(data="x", event="e"))
async def slowly(): yield 3
"""


@pytest.mark.parametrize("returned", ["numbers()", "[1, 'a', None]", "iter(())", "(each for each in 'ab')", "{'k': 1}"])
@pytest.mark.parametrize("returns", ["", " -> Iterable[Any]", " -> Any"])
@pytest.mark.parametrize("parameter", ["", "a: Annotated[str, Depends(tidy)]", "tasks: BackgroundTasks"])
def test_what_a_plain_function_returns_is_sent_as_events(returned: str, returns: str, parameter: str) -> None:
    """An endpoint may return what another generator function makes."""
    source = f"@app.get('/', response_class=EventSourceResponse)\ndef endpoint({parameter}){returns}:\n"
    source += "    tasks.add_task(log.append, 'task')\n" if "tasks" in parameter else ""
    text = PREAMBLE + STREAMS.replace("WHERE", repr(__file__)) + PRODUCED + source + f"    return {returned}\n"
    pair = Pair(text, (EARLY,))

    pair.get("/")
    pair.openapi()


@pytest.mark.parametrize("returned", ["slowly()", "numbers()"])
def test_so_is_what_a_coroutine_function_returns_and_an_async_generator(returned: str) -> None:
    """FastAPI begins the answer and then raises a TypeError: it waits for no coroutine there."""
    source = f"@app.get('/', response_class=EventSourceResponse)\nasync def endpoint():\n    return {returned}\n"
    side = load(PREAMBLE + STREAMS.replace("WHERE", repr(__file__)) + PRODUCED + source, "slipstream")

    answer = side.request(Sent())

    assert answer.body.startswith(b"data: 3" if "slowly" in returned else b"data: 1")
    assert answer.raised is None


@pytest.mark.parametrize("scope", ["", ", scope='function'"])
@pytest.mark.parametrize(
    "body", ["yield 1\n    raise ValueError", "yield object()", "return StreamingResponse(broken())"]
)
@pytest.mark.parametrize(
    "handler", ["", "@app.exception_handler(RuntimeError)\ndef on(request, exc): log.append('on')\n"]
)
def test_a_dependency_that_swallows_what_breaks_a_stream_is_told(scope: str, body: str, handler: str) -> None:
    """The answer is cut short; without an error the server would not know why."""
    source = (
        "async def broken():\n    yield b'1'\n    raise ValueError\n"
        "def hiding():\n    try:\n        yield\n    except Exception as exc:\n        log.append(type(exc).__name__)\n"
        f"{handler}@app.get('/', dependencies=[Depends(hiding{scope})])\ndef endpoint():\n    {body}\n"
    )
    pair = Pair(PREAMBLE + STREAMS.replace("WHERE", repr(__file__)) + source)

    pair.get("/")
