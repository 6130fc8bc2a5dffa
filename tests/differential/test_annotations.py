"""Annotations that are text: wherever their names are defined, by start-up, an application serves the same.

FastAPI gets each program with every name defined first and no text in its annotations; slipstream gets the same program
with the names further down, or local to a function, and with annotations as text. FastAPI cannot serve most of these.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from .differences import EVERYWHERE
from .harness import FRAMEWORKS, Pair, Sent, Side, document, load
from .strategies import PREAMBLE, examples

TYPES = """
class Crate(BaseModel):
    n: int = 1
    inner: "Crate | None" = None

class Shade(Enum):
    dark = "dark"

Number = int

class Tool:
    def __init__(self, n: <Number> = 3, shade: <Shade> = Shade.dark) -> None:
        self.n, self.shade = n, shade

@dataclasses.dataclass
class Record:
    n: <Number> = 4

class Keeper:
    def __call__(self, n: <Number> = 2) -> <Number>:
        return n

async def generate(crate: <Crate>) -> <Missing>:
    yield crate.n

def make(n: <Number> = 5) -> <Missing>:
    return Tool(n)
"""

PARAMETERS = (
    ("n: <Number>", "n"),
    ("n: <list[Number]> = Query([])", "n"),
    ("n: <Number | None> = None", "n"),
    ("shade: <Shade> = Shade.dark", "shade.value"),
    ("crate: <Crate>", "crate.n"),
    ("cratees: <list[Crate]>", "len(cratees)"),
    ("tool: <Tool> = Depends(Tool)", "tool.n"),
    ("tool: <Missing> = Depends(make)", "tool.n"),
    ("value: <Number> = Depends(Keeper())", "value"),
    ("value: <Missing> = Depends(generate)", "value"),
    ("record: <Record> = Depends(Record)", "record.n"),
    ("request: <Request>", "request.url.path"),
)

MARKED = (
    ("n: {Annotated[<Number>, Query(gt=2)]}", "n"),
    ("n: {Annotated[<list[Number]>, Query(alias='n')]} = []", "n"),
    ("shade: {Annotated[<Shade>, Header()]}", "shade.value"),
    ("crate: {Annotated[<Crate>, Body(embed=True)]}", "crate.n"),
    ("crate: {Annotated[<Crate>, Query()]}", "crate.n"),
    ("tool: {Annotated[<Tool>, Depends()]}", "tool.n"),
    ("tool: {Annotated[<Tool>, Depends(Tool)]}", "tool.n"),
    ("tool: {Annotated[<Missing>, Depends(make)]}", "tool.n"),
    ("record: {Annotated[<Record>, Depends()]}", "record.n"),
)

RETURNS = ("", "", " -> <Crate>", " -> <list[Crate]>", " -> <dict[str, Crate]>", " -> <Crate | None>")

REQUESTS = [
    Sent(method, f"/r{index}", query, headers, (body,))
    for index in range(3)
    for method in ("GET", "POST")
    for query in (b"", b"n=3&shade=dark", b"n=x&shade=light")
    for headers in ((), ((b"shade", b"dark"),))
    for body in (b'{"n": 7, "crate": {"n": 8}}', b'[{"n": 1}]', b"{}")
]


def bare(text: str) -> str:
    """Take the marks of annotations off."""
    return re.sub(r"<([^<>]+)>", r"\1", text)


@dataclass(frozen=True)
class Program:
    """One program, and how its annotations and its types are written."""

    routes: str
    style: str
    """ "future": `from __future__ import annotations`; "whole": each in quotes; "inside": quotes inside of brackets."""
    place: str
    """Where types and endpoints are: "after" the endpoints, or "local" to a function, "local after" both."""

    def written(self, text: str) -> str:
        def annotation(found: re.Match[str]) -> str:
            if self.style == "future":
                return found[1]
            if self.style == "inside" and found[1].startswith("list["):
                return f'list["{found[1][5:-1]}"]'
            return f'"{found[1]}"'

        def braced(found: re.Match[str]) -> str:
            return f'"{bare(found[1])}"' if self.style == "whole" else found[1]

        return re.sub(r"<([^<>]+)>", annotation, re.sub(r"\{(Annotated.*?\])\}", braced, text))

    @property
    def postponed(self) -> str:
        types, routes = self.written(TYPES), self.written(self.routes)
        future = "from __future__ import annotations\n" if self.style == "future" else ""
        body = routes + types if self.place.endswith("after") else types + routes
        if self.place.startswith("local"):
            body = "def build():\n" + "\n".join("    " + line for line in body.splitlines()) + "\nbuild()\n"
        return future + PREAMBLE + "app = FastAPI()\n" + body

    @property
    def plain(self) -> str:
        text = bare(re.sub(r"\{(Annotated.*?\])\}", r"\1", TYPES + self.routes)).replace("Missing", "Any")
        return PREAMBLE + "app = FastAPI()\n" + text


@st.composite
def programs(draw: st.DrawFn) -> Program:
    style = draw(st.sampled_from(["future", "whole", "inside"]))
    place = draw(st.sampled_from(["after", "local", "local after", "local"]))
    routes = ""
    for index in range(draw(st.integers(1, 3))):
        of_types = st.sampled_from([*PARAMETERS, *MARKED])
        # Defaults are evaluated at once, so what they name has to be there.
        taken = {
            text.partition(":")[0]: (text, value)
            for text, value in draw(st.lists(of_types, min_size=1, max_size=3))
            if not place.endswith("after") or not re.search(r"= (Depends|Shade)|Depends\(\w", text)
        }
        listed = sorted(
            (text for text, _ in taken.values()), key=lambda text: ("=" in re.sub(r"\(.*?\)", "", text), text)
        )
        returns = draw(st.sampled_from(RETURNS))
        result = f"[{', '.join(value for _, value in taken.values())}]"
        if returns:
            result = {"[": "[{'n': 1}]", "d": "{'a': {'n': 2}}"}.get(returns[5:6].replace("l", "["), "{'n': 3}")
        verb = draw(st.sampled_from(["get", "post"]))
        kind = draw(st.sampled_from(["async def", "def"]))
        routes += (
            f"\n@app.{verb}('/r{index}')\n{kind} read{index}({', '.join(listed)}){returns}:\n    return {result}\n"
        )
    return Program(routes, style, place)


def sides(program: Program) -> tuple[Side, Side, Side]:
    theirs = load(program.plain, FRAMEWORKS[0])
    direct = replace(load(program.postponed, FRAMEWORKS[1]), is_direct=True)
    return theirs, load(program.postponed, FRAMEWORKS[1]), direct


@examples(60)
@given(programs())
def test_names_may_be_defined_until_the_application_starts(program: Program) -> None:
    """In the module below, or in the function around; and whatever is written as text."""
    theirs, *ours = sides(program)
    for side in ours:
        assert (theirs.error is None) == (side.error is None), f"{program.postponed}\n{theirs.error!r}\n{side.error!r}"
        if theirs.error is not None:
            continue
        for sent in REQUESTS:
            assert theirs.request(sent) == side.request(sent), f"{program.postponed}\n{sent}"
        assert document(theirs) == document(side), program.postponed


@pytest.mark.parametrize("style", ["future", "whole", "inside"])
@pytest.mark.parametrize("place", ["after", "local", "local after"])
def test_a_websockets_parameters_are_read_as_late(style: str, place: str) -> None:
    """So are those of what it depends on."""
    text = """
@app.websocket('/r0')
async def read(socket: <WebSocket>, tool: {Annotated[<Tool>, Depends()]}, n: <Number> = 1):
    await socket.accept()
    await socket.send_text(str([tool.n, n]))
"""
    theirs, ours, _ = sides(Program(text, style, place))
    for query in (b"", b"n=4", b"n=x"):
        sent = Sent(path="/r0", query=query)
        wanted, told = theirs.websocket(sent, ()), ours.websocket(sent, ())
        assert wanted == told or any(each.settles_talk(wanted, told) for each in EVERYWHERE)


UNDEFINED = {
    "a parameter": ("def read(n: 'Nowhere'): ...", "n: Nowhere"),
    "inside": ("def read(n: list['Nowhere'] = Query()): ...", "n: list['Nowhere']"),
    "with a marker": ("def read(n: Annotated['Nowhere', Query()]): ...", "n: Annotated[ForwardRef('Nowhere')"),
    "a result": ("def read() -> 'Nowhere': ...", "return: Nowhere"),
    "a class": ("def read(n: Annotated['Nowhere', Depends()]): ...", "n: Annotated[ForwardRef('Nowhere'), Depends("),
    "a module": ("def read(n: 'dataclasses.Nowhere'): ...", "n: dataclasses.Nowhere"),
    "a dependency": ("def read(n=Depends('Nowhere' and dependency)): ...", "n: Nowhere"),
    "a model": ("class Model(BaseModel):\n    a: 'Nowhere'\n@app.post('/')\ndef read(m: Model): ...", "m: Model"),
    "a constructor": ("def read(n=Depends(Tool)): ...", "n: Nowhere"),
}


FORMS = {
    "app": "",
    "included": "app.include_router(router)",
    "mounted": "app.mount('/inner', router)",
    "websocket": "",
    "with middleware": "app.middleware('http')(lambda request, call_next: call_next(request))",
}


@pytest.mark.parametrize("where", UNDEFINED)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_never_defined_fails_the_start(where: str, form: str) -> None:
    """With the place, the parameter and what to write; the application does not begin to serve."""
    function, shown = UNDEFINED[where]
    route = "@router.websocket('/')" if form == "websocket" else "@router.get('/')"
    if form == "websocket" and where in ("a result", "a model"):
        return  # nobody needs the first; the second has no body
    router = {"included": "APIRouter()", "mounted": "FastAPI()"}.get(form, "app")
    decorated = function.replace("@app", "@router") if "@app" in function else f"{route}\n{function}"
    text = f"""
app = FastAPI()
router = {router}
class Tool:
    def __init__(self, n: 'Nowhere'): ...
def dependency(n: 'Nowhere'): ...
{decorated}
{FORMS[form]}
"""
    side = load(PREAMBLE + text, "slipstream")
    assert side.error is None

    kinds, raised, *_ = side.lifespan(_nothing)

    assert kinds == ["lifespan.startup.failed", "end"]
    [told] = raised
    assert "Nowhere" in told
    assert shown in told
    assert ("at Tool" if where == "a constructor" else "at <application>:") in told
    assert "before the application starts" in told


async def _nothing(side: Side) -> Any:
    raise AssertionError("it has started")


def test_a_name_that_nobody_needs_is_not_asked_for() -> None:
    """A type beside `Depends(f)` is for readers; so are a dependency's result and a route's with a response model."""
    text = (
        PREAMBLE
        + """
app = FastAPI()
async def get() -> 'Nowhere':
    return 1
@app.get("/", response_model=int)
def read(a: 'Nowhere' = Depends(get), b: 'Annotated[Nowhere, Depends(get)]' = 3, *,
         c: Annotated['Nowhere', Depends(get)]) -> 'Nowhere':
    return a + b + c
"""
    )
    side = load(text, "slipstream")

    kinds, raised, _, _, given = side.lifespan(_ask)

    assert (kinds, raised) == (["lifespan.startup.complete", "lifespan.shutdown.complete", "end"], [])
    assert given == b"3"


async def _ask(side: Side) -> bytes:
    return (await side._request(Sent())).body


def test_a_local_class_hides_a_global_one_of_its_name() -> None:
    """As it does where Python evaluates the annotation at once."""
    text = (
        "from __future__ import annotations\n"
        + PREAMBLE
        + """
app = FastAPI()
class Local:
    def __init__(self, outer: int): ...
def build():
    class Local:
        def __init__(self, inner: int):
            self.inner = inner
    @app.get("/")
    def read(local: Annotated[Local, Depends()]):
        return local.inner
build()
"""
    )
    answer = load(text, "slipstream").request(Sent(query=b"inner=3"))

    assert json.loads(answer.body) == 3


def test_what_a_route_says_of_itself_waits_too() -> None:
    """Packages ask routes for their models; the document is made of them."""
    text = (
        PREAMBLE
        + """
app = FastAPI()
@app.get("/")
def read(crate: Annotated["Crate", Query()]) -> "Crate":
    return crate
route = app.routes[-1]
class Crate(BaseModel):
    n: int
"""
    )
    side = load(text, "slipstream")
    route, crate = side.module.route, side.module.Crate

    assert route.response_field.field_info.annotation is crate
    assert route.response_model is crate
    assert route.dependant.query_params[0].field_info.annotation is crate


def test_what_only_looks_like_a_function_is_read_by_its_globals() -> None:
    """Compiled functions have no closure and no qualified name; `inspect.signature` reads them all the same."""
    text = (
        "from __future__ import annotations\n"
        + PREAMBLE
        + """
class Compiled:
    def __init__(self, function):
        for name in ("name", "code", "defaults", "kwdefaults", "annotations", "globals"):
            setattr(self, f"__{name}__", getattr(function, f"__{name}__"))
        self.function = function
    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)

@Compiled
def dependency(crate: Crate, n: int = 1):
    return [crate, n]

@app.post("/")
def read(value: Annotated[Any, Depends(dependency)]):
    return value

class Crate(BaseModel):
    n: int
"""
    )
    pair = Pair(text.replace("@Compiled", "class Crate(BaseModel):\n    n: int\n\n@Compiled", 1))
    sent = Sent("POST", "/", b"n=2", ((b"content-type", b"application/json"),), (b'{"n": 1}',))

    assert pair.request(sent).json == [{"n": 1}, 2]
    assert load(text, "slipstream").request(sent).json == [{"n": 1}, 2]
