"""Mistakes in programs: each is told with what was seen, where, and what to write.

What FastAPI serves is served, with a warning; what it refuses is refused by an exception of the same kind.
"""

import sys
import warnings
from types import ModuleType

import pytest

from slipstream import exceptions
from slipstream.exceptions import DefinitionWarning

from .harness import Pair, Sent, Side, load, told
from .strategies import PREAMBLE

HERE = "<application>:"

# What is served all the same: the program, and the parts of the warning.
SERVED = {
    "get without parentheses": ("@app.get\ndef read(): ...", "'read' is not registered", '@app.get("/items")'),
    "websocket without parentheses": ("@app.websocket\ndef read(): ...", "'read' is not registered", "parentheses"),
    "exception_handler without parentheses": (
        "@app.exception_handler\ndef read(): ...", "'read' is not registered", "with its argument",
    ),
    "middleware without parentheses": ("@app.middleware\ndef read(): ...", "'read' is not registered", "no parenthe"),
    "a path without its slash": ("@app.get('items')\ndef read(): ...", "must begin with a slash", 'write "/items"'),
    "a status of three digits": ("@app.get('/', status_code=600)\ndef read(): ...", "600 is no status", "100 to 599"),
    "a status of two": ("@app.get('/', status_code=99)\ndef read(): ...", "99 is no status", "status_code=200"),
    "a parameter of the path that nothing takes": (
        "@app.get('/{item_id}')\ndef read(key: int): ...", "did you mean it by 'key'?", "{item_id} out",
    ),
    "a misspelt parameter of the path": (
        "@app.get('/{item_id:int}')\ndef read(itemid: int = 1): ...", "did you mean it by 'itemid'?", "item_id",
    ),
    "a parameter of a WebSocket's path": (
        "@app.websocket('/{item_id}')\ndef read(item: int = 0): ...", "the path's parameter 'item_id'", "item_id",
    ),
    "a marker's function as a default": (
        "@app.get('/')\ndef read(a: int = Query): ...", "Query itself, which nobody calls", "Annotated[int, Query()]",
    ),
    "Depends as a default": (
        "@app.get('/')\ndef read(a: int = Depends): ...", "the default of 'a' is Depends", "Annotated[int, Depends()]",
    ),
    "a GET with two models": (
        "@app.get('/')\ndef read(a: Item, b: Item): ...", "several bodies: 'a' and 'b'", "Annotated[Model, Query()]",
    ),
}  # fmt: skip


def run(source: str) -> None:
    """Run a program, and let its warnings out."""
    module = sys.modules["application"] = ModuleType("application")  # where Pydantic looks for names
    exec(compile(source.replace("fastapi", "slipstream"), "<application>", "exec"), module.__dict__)


@pytest.mark.parametrize("mistake", SERVED)
def test_what_fastapi_serves_is_served_with_a_warning(mistake: str) -> None:
    """At the function's place, once for a route and all its inclusions."""
    text, *parts = SERVED[mistake]
    source = PREAMBLE + "app = FastAPI()\n" + text
    line = source[: source.index(text)].count("\n") + 1

    with pytest.warns(DefinitionWarning) as warned:
        run(source + "\nfrom fastapi.routing import iter_route_contexts\nlist(iter_route_contexts(app.routes))")

    [one] = warned
    assert (one.filename, one.lineno) == ("<application>", line)
    assert f"at {HERE}{line} in read" in str(one.message)
    assert all(part in str(one.message) for part in parts)
    pair = Pair(source)
    pair.get("/")
    pair.get("/1")


TAKEN = {
    "by the function": "def read(item_id: int): ...",
    "by another name": "def read(a: Annotated[int, Path(alias='item_id')]): ...",
    "by a dependency": "def use(item_id: int): ...\ndef read(a=Depends(use)): ...",
    "by a Request": "def read(request: Request): ...",
    "by a dependency's Request": "def use(request: Request): ...\ndef read(a=Depends(use)): ...",
    "by nobody": "def read(): ...",
    "by nobody, beside a parameter of the query": "def read(limit: int = 10): ...",
    "by nobody, beside two": "def read(first: int, last: int): ...",
    "by nobody, beside one that is marked": "def read(item: Annotated[int, Query()]): ...",
}


@pytest.mark.parametrize("way", TAKEN)
def test_a_parameter_of_the_path_may_be_taken_anywhere_or_left_alone(way: str) -> None:
    """A prefix is for routes that take its parameter and for others."""
    *before, function = TAKEN[way].split("\n")
    text = "\n".join(["app = FastAPI()", *before, "@app.get('/{item_id}')", function])
    router = "router = APIRouter(prefix='/{tenant}')\n@router.get('/x')\ndef other(): ...\napp.include_router(router)"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(PREAMBLE + text + "\n" + router)


# What no framework takes: the program, the exception's class under FastAPI, and the parts of what we say.
REFUSED = {
    "a misspelt option of a route": (
        "@app.get('/', respone_model=int)\ndef read(): ...", TypeError, "did you mean 'response_model'?",
    ),
    "a misspelt option of an application": ("FastAPI(titel='x')", TypeError, "did you mean 'title'?"),
    "a misspelt option of an inclusion": (
        "app.include_router(APIRouter(), prefx='/a')", TypeError, "did you mean 'prefix'?",
    ),
    "an application as a router": (
        "app.include_router(FastAPI())", AttributeError, "include_router(other.router)", "app.mount('/prefix', other)",
    ),
    "a module as a router": ("import json\napp.include_router(json)", AttributeError, "include_router(json.router)"),
    "a dependency as a type": (
        "@app.get('/')\ndef read(a: Depends(str)): ...", Exception, HERE, "Depends stands where", "Annotated[<type>, D",
    ),
    "a marker as a type": (
        "@app.get('/{a}')\ndef read(a: Path()): ...", Exception, HERE, "Path stands where", "Annotated[<type>, Path(",
    ),
    "a marker's function as a type": (
        "@app.get('/{a}')\ndef read(a: Path): ...", Exception, HERE, "Path stands where", "Annotated[<type>, Path(",
    ),
    "the result of a dependency": (
        "@app.get('/')\ndef read(a=Depends(3)): ...", Exception, HERE, "callable", "Depends(function)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_fastapi_refuses_is_refused_in_words(mistake: str) -> None:
    """By an exception that whoever catches FastAPI's catches too."""
    text, kind, *parts = REFUSED[mistake]
    pair = Pair(PREAMBLE + "app = FastAPI()\n" + text)

    assert isinstance(pair.theirs.error, kind)
    assert isinstance(pair.ours.error, kind)
    assert [part for part in parts if part not in str(pair.ours.error)] == []


AWAITED = "made = []\nasync def later(): return 1\ndef inner():\n    made.append(later())\n    return made[-1]\n"


def close(*sides: Side) -> None:
    """Close what nobody awaits, or Python would warn of it in another test."""
    for side in sides:
        for made in side.module.__dict__.get("made", ()):
            made.close()


# What ends a request by an exception: the program, and the parts of what we say.
FAILING = {
    "a generator without yield": (
        "def use(a: bool = False):\n    if a: yield\n@app.get('/')\ndef read(a=Depends(use)): ...",
        "the dependency `use` did not yield", "yield None",
    ),
    "a coroutine as a result": (
        AWAITED + "@app.get('/')\ndef read():\n    return inner()", "nobody awaits", "return await",
    ),
    "a coroutine as a result of a response class": (
        AWAITED + "@app.get('/', response_class=PlainTextResponse)\nasync def read():\n    return inner()",
        "nobody awaits", "return await",
    ),
    "middleware without a response": (
        "@app.middleware('http')\nasync def around(request, call_next):\n    await call_next(request)\n"
        "@app.get('/')\ndef read(): ...", "the middleware returned no response, but nothing", "JSONResponse({...})",
    ),
    "middleware with a dict": (
        "@app.middleware('http')\nasync def around(request, call_next):\n    return {}",
        "returned no response, but dict", "JSONResponse({...})",
    ),
    "a handler without a response": (
        "@app.exception_handler(ValueError)\ndef on_error(request, exc): ...\n"
        "@app.get('/')\ndef read():\n    raise ValueError", "the exception handler returned no response", "JSONResp",
    ),
    "a handler with a dict": (
        "@app.exception_handler(404)\nasync def on_error(request, exc):\n    return {}",
        "the exception handler returned no response, but dict", "JSONResponse({...})",
    ),
    "a handler of 500 without a response": (
        "@app.exception_handler(Exception)\ndef on_error(request, exc): ...\n"
        "@app.get('/')\ndef read():\n    raise ValueError", "the exception handler returned no response", "JSONResp",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", FAILING)
def test_what_ends_a_request_says_what_to_write(mistake: str) -> None:
    """As the server's log has it; the request ends as under FastAPI."""
    text, *parts = FAILING[mistake]
    theirs, *ours = Pair(PREAMBLE + "app = FastAPI()\n" + text).sides
    wanted = theirs.request(Sent())
    close(theirs)

    for side in ours:
        outcome = side.request(Sent())
        close(side)
        assert outcome.status in (wanted.status, 500)
        assert [part for part in (HERE, *parts) if part not in (outcome.raised or "")] == []


@pytest.mark.parametrize(("result", "note"), [("inner()", "return await"), ("HTTPException(404)", "write `raise`")])
def test_what_no_response_model_takes_has_a_note(result: str, note: str) -> None:
    """A traceback shows it; the exception is the one that handlers are registered for."""
    source = PREAMBLE + f"app = FastAPI()\n{AWAITED}@app.get('/')\ndef read() -> int:\n    return {result}\n"
    source += "seen = []\n@app.exception_handler(exceptions.ResponseValidationError)\n"
    source += "def on_error(request, exc):\n    seen.append(exc)\n    return PlainTextResponse('seen')\n"
    side = load(source.replace("app =", "from fastapi import exceptions\napp =", 1), "slipstream")

    assert side.request(Sent()).body == b"seen"
    close(side)

    [seen] = side.module.seen
    assert isinstance(seen, exceptions.ResponseValidationError)
    assert note in seen.__notes__[0]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("use", ["user.name", "user + 1", "user['name']"])
def test_what_fails_by_a_dependencys_coroutine_has_a_note(kind: str, use: str) -> None:
    """The error names a coroutine, and neither whose it is nor how it came there."""
    source = PREAMBLE + f"app = FastAPI()\n{AWAITED}@app.get('/')\n{kind} read(user=Depends(inner)):\n    {use}\n"
    source += "seen = []\n@app.exception_handler(Exception)\n"
    source += "def on_error(request, exc):\n    seen.append(exc)\n    return PlainTextResponse('seen')\n"
    side = load(source, "slipstream")

    assert side.request(Sent()).body == b"seen"
    close(side)

    [note] = side.module.seen[0].__notes__
    assert note.startswith("'user' is a coroutine that nobody awaits\n  of <application>:")
    assert note.endswith("in later\n  where it is called, write `return await ...`, in an `async def`")


def test_an_exception_that_is_returned_is_warned_of() -> None:
    """FastAPI answers 200 with what the exception holds."""
    source = PREAMBLE + "app = FastAPI()\n@app.get('/')\ndef read():\n    return HTTPException(404)\n"
    pair = Pair(source)

    with pytest.warns(DefinitionWarning, match="write `raise` in the place of `return`"):
        assert pair.get("/").status == 200


LIFESPANS = {
    "a coroutine": "async def life(app): ...",
    "a function": "def life(app): ...",
    "a router's": "async def life(app): ...\nrouter = APIRouter(lifespan=life)\napp.include_router(router)",
}


@pytest.mark.parametrize("mistake", LIFESPANS)
def test_a_lifespan_that_is_none_fails_the_start_in_words(mistake: str) -> None:
    """No coroutine is left behind, about which Python would warn."""
    text = LIFESPANS[mistake]
    after = "" if "router" in text else "app = FastAPI(lifespan=life)"
    pair = Pair(PREAMBLE + "app = FastAPI()\n" + text + "\n" + after)

    async def nothing(side: Side) -> None:
        raise AssertionError("it has started")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # FastAPI leaves the coroutine behind
        kinds, theirs, *_ = pair.theirs.lifespan(nothing)
    ours_kinds, ours, *_ = pair.ours.lifespan(nothing)

    assert kinds == ours_kinds == ["lifespan.startup.failed", "end"]
    assert theirs[0].startswith("TypeError")
    assert "asynccontextmanager" in ours[0]
    assert HERE in ours[0]


def test_these_exceptions_are_of_the_kinds_that_fastapi_raises() -> None:
    """Programs catch them by those."""
    errors = vars(__import__("slipstream._engine.errors", fromlist=["x"]))
    kinds = {
        "NotAResponse": TypeError,
        "NotALifespan": TypeError,
        "NotAwaited": ValueError,
        "NotARouter": AttributeError,
    }

    assert all(issubclass(errors[name], kind) for name, kind in kinds.items())
    assert told(errors["NotAwaited"]("here")).startswith("NotAwaited: the endpoint returned")
