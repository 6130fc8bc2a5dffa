"""Sync programs: what runs in a thread, which context it sees, and what comes after what.

Several calls may share one worker thread in slipstream, which nobody must be able to tell: contexts, order and errors
are those of FastAPI, where each has a hop of its own.
"""

import asyncio
from itertools import product
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, strategies as st

from .harness import Pair, Sent, Side, runner, scope_of
from .strategies import PREAMBLE, examples

WATCHED = """
import asyncio
import threading
from contextvars import ContextVar

log = []
variable = ContextVar("variable", default="unset")

def seen(name):
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        place = "a worker"
    else:
        place = "the loop"
    log.append(f"{name} in {place} sees {variable.get()}")
    variable.set(name)

@app.middleware("http")
async def around(request, call_next):
    variable.set("the request")
    return await call_next(request)

class Mine(Exception):
    pass

@app.exception_handler(Mine)
def on_mine(request, exc):
    seen("handler")
    return JSONResponse({"mine": str(exc)}, status_code=444)

# --- end of preamble
"""

DEPENDENCIES = {
    "sync": """
def {name}(q_{name}: int = 1):
    seen("{name}")
    {act}
    return "{name}"
""",
    "async": """
async def {name}(q_{name}: int = 1):
    seen("{name}")
    {act}
    return "{name}"
""",
    "gen": """
def {name}(q_{name}: int = 1):
    seen("{name}")
    {act}
    try:
        yield "{name}"
    except Exception as exc:
        seen("{name} hears " + type(exc).__name__)
        raise
    finally:
        seen("{name} closes")
""",
    "bodied": """
def {name}(b_{name}: Out | None = None, q_{name}: str = "q", c_{name}: int = 1):
    seen("{name}")
    {act}
    return "{name}"
""",
    "shared": """
def {name}_of(q_{name}: str = "q"):
    seen("{name}_of")
    {act}
    return "{name}_of"

def {name}_by(of: str = Depends({name}_of)):
    seen("{name}_by")
    yield of
    seen("{name}_by closes")

def {name}(of: str = Depends({name}_of), by: str = Depends({name}_by)):
    seen("{name}")
    return of + by
""",
    "limited": """
def {name}(q_{name}: int = 1):
    seen("{name}")
    {act}
    return "{name}"
""",
    "checked": """
def {name}(q_{name}: Annotated[int, AfterValidator(lambda value: seen("check of {name}") or value)] = 1):
    seen("{name}")
    {act}
    return "{name}"
""",
}

RAISES = ("raise HTTPException(418, 'no')", "raise Mine('mine')", "raise StopIteration(1)")
ACTS = ("pass", "pass", "pass", "pass", *RAISES)

ENDPOINTS = {
    "plain": ("", "{given}", "return [{names}]"),
    "model": (", response_model=Out", "{given}", "return Out(names=[{names}])"),
    "of model": (", response_model=Out", "{given}", "return Source([{names}])"),
    "watched": (", response_model=Watched", "{given}", "return Watched(names=[{names}])"),
    "of watched": (", response_model=Watched", "{given}", "return Source([{names}])"),
    "wrong": (", response_model=Out", "{given}", "return 3"),
    "response": ("", "{given}", "return JSONResponse([{names}])"),
    "class": (", response_class=PlainTextResponse", "{given}", "return 'text'"),
    "class of model": (", response_class=Mine_, response_model=Out", "{given}", "return Source([{names}])"),
    "body": ("", "{given}, body: Out", "return body"),
    "watched body": (", response_model=Watched", "{given}, body: Careful", "return body"),
    "two bodies": ("", "{given}, body: Out, other: Watched", "return [body, other]"),
    "injected": ("", "{given}, response: Response", "response.headers['x-a'] = 'b'; return {{'a': 1}}"),
}

MODELS = """
class Mine_(JSONResponse):
    def render(self, content):
        seen("render")
        return super().render(content)

class Out(BaseModel):
    names: list[str]

class Watched(BaseModel):
    names: list[str]

    @field_validator("names")
    @classmethod
    def check(cls, value):
        seen("validator")
        return value

    @field_serializer("names")
    def write(self, value):
        seen("serializer")
        return value

class Careful(Watched, strict=True):
    # strict, hence not validated from its bytes, which would be done first of all (docs/design/0004)
    pass

class Source:
    def __init__(self, names):
        self._names = names

    @property
    def names(self):
        seen("attribute")
        return self._names
"""

IMPORTS = "from pydantic import AfterValidator, field_serializer, field_validator\n"

JSON = ((b"content-type", b"application/json"),)

REQUESTS = (
    Sent("POST", "/", b"", JSON, (b'{"names": ["a"]}',)),
    Sent("POST", "/", b"", JSON, (b'{"names": 3}',)),
    Sent("POST", "/", b"q_d0=x", JSON, (b'{"names": ["a"]}',)),
    Sent("POST", "/", b"q_d1=x&z=1", JSON, (b'{"names": 3}',)),
    Sent("POST", "/", b"z=x", JSON, (b'{"body": {"names": []}, "other": {"names": []}}',)),
    Sent("POST", "/", b"", JSON, (b'{"body": {"names": []}, "other": {"names": []}}',)),
)


def program(kinds: list[str], acts: list[str], endpoint: str, *, is_async: bool = False, act: str = "pass") -> str:
    """Write an application: dependencies in a row, and the endpoint that takes them all."""
    options, parameters, end = ENDPOINTS[endpoint]
    names = [f"d{number}" for number in range(len(kinds))]
    parts = [PREAMBLE.replace("# --- end of preamble\n", ""), IMPORTS, WATCHED, MODELS]
    given_ = ["z: int = 0"]
    for name, kind, does in zip(names, kinds, acts, strict=True):
        parts.append(DEPENDENCIES[kind].format(name=name, act=does))
        limit = ", max_concurrency=2" if kind == "limited" else ""
        given_.append(f"{name}: str = Depends({name}{limit})")
    ordered = [part for part in parameters.format(given="").strip(", ").split(", ") if part]
    head = ", ".join([*ordered, *given_])
    parts.append(f"""
@app.post("/"{options})
{"async " if is_async else ""}def endpoint({head}):
    seen("endpoint")
    {act}
    {end.format(names=", ".join(names))}
""")
    return "\n".join(parts)


def compare(source: str) -> None:
    """Send every request to both frameworks."""
    pair = Pair(source)
    for sent in REQUESTS:
        pair.request(sent)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("kinds", [[], ["sync"], ["sync", "gen"], ["checked", "sync"], ["gen", "async", "sync"]])
def test_sync_endpoints_do_what_they_do_under_fastapi(endpoint: str, kinds: list[str]) -> None:
    """In threads where FastAPI uses threads, in the loop where it does not, each call with a context of its own."""
    compare(program(kinds, ["pass"] * len(kinds), endpoint))


@pytest.mark.parametrize(("kind", "act"), list(product(DEPENDENCIES, RAISES)))
def test_what_one_raises_ends_the_row(kind: str, act: str) -> None:
    """Those before it hear of it, those behind it are not called."""
    compare(program(["gen", kind, "sync"], ["pass", act, "pass"], "model"))
    compare(program(["gen", kind, "gen"], ["pass", "pass", "pass"], "plain", act=act))


@examples(60)
@given(st.data())
def test_any_row_of_dependencies_is_called_as_under_fastapi(data: st.DataObject) -> None:
    """Sync, async, generators, limits and validators of a user's own, in any order."""
    kinds = data.draw(st.lists(st.sampled_from(list(DEPENDENCIES)), max_size=4))
    acts = [data.draw(st.sampled_from(ACTS)) for _ in kinds]
    endpoint = data.draw(st.sampled_from(list(ENDPOINTS)))
    compare(program(kinds, acts, endpoint, is_async=data.draw(st.booleans()), act=data.draw(st.sampled_from(ACTS))))


HELD = """
import threading
import anyio.from_thread

log = []

class Gate:
    def open(self, loop_event):
        self.begun, self.go, self.over = loop_event, threading.Event(), threading.Event()

    def __call__(self, name):
        log.append(f"{name} begins")
        anyio.from_thread.run_sync(self.begun.set)
        assert self.go.wait(20)
        log.append(f"{name} ends")
        self.over.set()

gate = Gate()

# --- end of preamble

def connection():
    log.append("opens")
    try:
        yield 1
    except BaseException as exc:
        log.append(f"hears {type(exc).__name__}")
        raise
    finally:
        log.append("closes")

def first(connection: int = Depends(connection)):
    if HOLDS == "first":
        gate("first")

def second():
    if HOLDS == "second":
        gate("second")
    log.append("second")

@app.get("/")
def endpoint(first: None = Depends(first), second: None = Depends(second)) -> list[int]:
    if HOLDS == "endpoint":
        gate("endpoint")
    log.append("endpoint")
    return [1]
"""


@pytest.mark.parametrize("leaves", ["scope", "task"])
@pytest.mark.parametrize("holds", ["first", "second", "endpoint"])
def test_a_request_that_is_cancelled_during_a_sync_call_stops_there(holds: str, leaves: str) -> None:
    """What runs is run to its end, what comes after it is not begun, and what is open is closed."""
    source = f"{PREAMBLE}\nHOLDS = {holds!r}\n{HELD}"
    pair = Pair(source)

    logs = [runner.run(cancelled(side, leaves)) for side in pair.sides]

    assert logs[0] == logs[1] == logs[2]
    assert "is cancelled" in logs[0]
    assert f"{holds} ends" in logs[0]


async def cancelled(side: Side, leaves: str) -> list[Any]:
    """Send a request, and cancel it once its call has begun."""
    side.log.clear()
    gate, begun, scope = side.module.__dict__["gate"], asyncio.Event(), anyio.CancelScope()
    gate.open(begun)
    over = asyncio.Event()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        side.log.append(message["type"])

    def reply(*parts: Any) -> bool:
        side.log.extend(("http.response.start", "http.response.body"))
        return True

    async def serve() -> None:
        with scope:
            try:
                if side.is_direct:
                    await side.app.serve_direct(scope_of(Sent()), receive, send, b"", reply)
                else:
                    await side.app(scope_of(Sent()), receive, send)
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                side.log.append("is cancelled")
                raise
            finally:
                over.set()

    task = asyncio.ensure_future(serve())
    await begun.wait()
    if leaves == "scope":
        scope.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        gate.go.set()
        await over.wait()
    else:
        task.cancel()
        await asyncio.wait([task])
        gate.go.set()
        await anyio.to_thread.run_sync(gate.over.wait, 20)
    await asyncio.gather(task, return_exceptions=True)
    return list(side.log)
