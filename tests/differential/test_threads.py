"""Sync programs: what runs in a thread, which context it sees, and what comes after what.

Several calls may share one worker thread in slipstream, which nobody must be able to tell: contexts, order and errors
are those of FastAPI, where each has a hop of its own.
"""

from itertools import product

import pytest
from hypothesis import given, strategies as st

from .harness import Pair, Sent
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
