"""Trees of dependencies that a program or package changes after registration, before the first request and later."""

import dataclasses
import inspect
from typing import Any

import fastapi.dependencies.models
import pytest

import slipstream.dependencies.models
from tests.differential.harness import Pair, Sent

PREAMBLE = """
import copy
import functools
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Depends, FastAPI, Header, Query, Request, Response, WebSocket
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant, get_parameterless_sub_dependant
from fastapi.routing import APIRoute, iter_route_contexts, request_response

log = []

def plain(a: int = 1, token: Annotated[str, Header()] = "none") -> str:
    log.append("plain")
    return f"{a} {token}"

def other(b: int = 2) -> str:
    log.append("other")
    return f"other {b}"

async def coroutine(a: int = 1) -> str:
    return f"coroutine {a}"

def generated(c: int = 3):
    log.append("open")
    yield f"generated {c}"
    log.append("closed")

def with_body(name: Annotated[str, Body()] = "nobody") -> str:
    log.append(name)
    return name

def anything(**given):
    return sorted(f"{key}: {type(value).__name__}" for key, value in given.items())

def sub(call, **options):
    return get_dependant(path="/", call=call, **options)

def guard(call):
    return get_parameterless_sub_dependant(depends=Depends(call), path="/")

app = FastAPI(openapi_url=None)
router = APIRouter()

def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        log.append("wrapped")
        return function(*args, **kwargs)
    return wrapper

def awaited(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        log.append("awaited")
        return await function(*args, **kwargs)
    return wrapper

@app.get("/direct/{x}")
@router.get("/included/{x}")
def endpoint(x: int, q: str = "q", value: str = Depends(plain)):
    return [x, q, value]

@app.get("/async")
@router.get("/included-async")
async def async_endpoint(value: str = Depends(coroutine)):
    return value

@app.post("/posted/{x}")
@router.post("/included-posted/{x}")
def posted(x: int, name: Annotated[str, Body()], value: str = Depends(plain)):
    return [x, name, value]

app.include_router(router, prefix="/p")
"""

FIND = """
def found(path):
    return next(context for context in iter_route_contexts(app.routes) if context.path == path)

def change():
    for path in PATHS:
        dependant = found(path).dependant
        %s
"""

CHANGES = {
    "call": "dependant.call = wrapped(dependant.call)",
    "call of a dependency": "dependant.dependencies[0].call = wrapped(dependant.dependencies[0].call)",
    "another kind of dependency": "dependant.dependencies[0].call = coroutine",
    "a generator for a dependency": """
        dependant.dependencies[0].query_params = []
        dependant.dependencies[0].header_params = []
        dependant.dependencies[0].call = generated
    """,
    "a dependency appended": "dependant.dependencies.append(guard(other))",
    "a generator appended": "dependant.dependencies.append(guard(generated))",
    "a dependency inserted": "dependant.dependencies.insert(0, guard(other))",
    "a dependency of a dependency": "dependant.dependencies[0].dependencies.append(guard(other))",
    "dependencies assigned": "dependant.dependencies = [sub(other, name='value')]",
    "a dependency without its parameter": "dependant.dependencies = []\n        dependant.call = anything",
    "a parameter appended": "dependant.query_params.extend(sub(other).query_params)\n        dependant.call = anything",
    "a parameter removed": "dependant.query_params.clear()",
    "parameters assigned": "dependant.query_params = sub(plain).query_params\n        dependant.call = anything",
    "a body appended": "dependant.dependencies.append(guard(with_body))",
    "the same dependency twice": """
        dependant.dependencies.append(sub(plain, name="again"))
        dependant.call = anything
    """,
    "no cache": """
        dependant.dependencies.append(sub(plain, name="again", use_cache=False))
        dependant.call = anything
    """,
    "objects of the request": """
        dependant.request_param_name = "the_request"
        dependant.response_param_name = "the_response"
        dependant.background_tasks_param_name = "the_tasks"
        dependant.http_connection_param_name = "the_connection"
        dependant.websocket_param_name = "the_socket"
        dependant.call = anything
    """,
    "a dependant made by hand": """
        dependant.dependencies.append(Dependant(call=other, path="/", query_params=sub(other).query_params))
    """,
    "a copied dependency": """
        copied = copy.copy(dependant.dependencies[0])
        copied.call = wrapped(copied.call)
        dependant.dependencies = [copied]
    """,
    "a deeply copied dependency": "dependant.dependencies = copy.deepcopy(dependant.dependencies)",
}
PATHS = ["/direct/{x}", "/p/included/{x}"]
REQUESTS = ("/direct/1", "/direct/one", "/p/included/1", "/p/included/one")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_tree_is_served_as_fastapi_serves_it(change: str, when: str) -> None:
    """Injection frameworks, guards and versioning libraries do it; FastAPI reads the tree at every request."""
    pair = Pair(PREAMBLE + f"PATHS = {PATHS}\n" + FIND % CHANGES[change])
    if when == "after":
        for path in REQUESTS:
            pair.get(path)
    for side in pair.sides:
        side.module.change()

    for path in REQUESTS:
        pair.get(path)
        pair.get(path, b"q=x&a=7&b=8&c=9", (b"token", b"t"))
        pair.get(path, b"a=seven&b=eight")


@pytest.mark.parametrize("change", ["call", "a dependency appended", "a body appended", "objects of the request"])
def test_a_changed_tree_with_a_body_is_served_as_fastapi_serves_it(change: str) -> None:
    """How the body is read was decided at registration."""
    paths = ["/posted/{x}", "/p/included-posted/{x}"]
    pair = Pair(PREAMBLE + f"PATHS = {paths}\n" + FIND % CHANGES[change])
    for side in pair.sides:
        side.module.change()

    for path in ("/posted/1", "/p/included-posted/1"):
        for body in (b'"n"', b'{"name": "n"}', b"3", b"", b"{"):
            pair.request(Sent("POST", path, b"", ((b"content-type", b"application/json"),), (body,)))


def test_an_async_endpoint_is_wrapped_as_fastapi_wraps_it() -> None:
    """The wrapper runs as what it wraps does."""
    change = "dependant.call = awaited(dependant.call)"
    pair = Pair(PREAMBLE + "PATHS = ['/async', '/p/included-async']\n" + FIND % change)
    for side in pair.sides:
        side.module.change()

    assert pair.get("/async").log == ("awaited",)
    assert pair.get("/p/included-async").log == ("awaited",)


def test_a_copied_router_has_routes_of_its_own() -> None:
    """Class-based handlers: the endpoint of each copy is bound to another object, then the copy is included."""
    pair = Pair(
        PREAMBLE
        + """
class Handlers:
    router = APIRouter()

    def __init__(self, name):
        self.name = name

    @router.get("/hello")
    def hello(self=None, times: int = 1):
        return [getattr(self, "name", None), times]

for name in ("a", "b"):
    copied = copy.deepcopy(Handlers.router)
    for route in copied.routes:
        route.endpoint = getattr(Handlers(name), route.endpoint.__name__)
        route.dependant.call = route.endpoint
    app.include_router(copied, prefix=f"/{name}")
app.include_router(Handlers.router, prefix="/c")
"""
    )

    assert [pair.get(f"/{name}/hello", b"times=3").json for name in "abc"] == [["a", 3], ["b", 3], [None, 3]]


def test_what_a_route_was_given_later_is_included() -> None:
    """Endpoint, path, dependencies and models are read anew at the inclusion."""
    pair = Pair(
        PREAMBLE
        + """
late = APIRouter()

@late.get("/before")
def before(x: int = 1):
    return {"x": x, "more": 1}

route = late.routes[0]
route.endpoint = lambda y: {"x": y, "more": 2}
route.path = "/after"
route.dependencies.append(Depends(other))
route.response_model = dict[str, int]
route.status_code = 201
route.methods = {"GET", "PUT"}
app.include_router(late, prefix="/late")
"""
    )

    for path in ("/late/before", "/late/after"):
        pair.get(path, b"y=3")
        pair.get(path)
        pair.request(Sent("PUT", path, b"y=3"))


@pytest.mark.parametrize(
    "change",
    [
        "route.status_code = 201",
        "route.response_model_exclude = {'more'}",
        "route.response_model_exclude_none = True",
        "route.response_field = None",
        "route.response_class = PlainTextResponse",
        "route.dependency_overrides_provider = Provider()",
        "route.endpoint = lambda: 1",
    ],
)
def test_a_handler_that_is_made_anew_has_the_options_of_now(change: str) -> None:
    """Packages change an attribute, then assign what `get_route_handler` makes; without that nothing changes."""
    pair = Pair(
        PREAMBLE
        + f"""
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

class Answer(BaseModel):
    x: int
    more: str | None = None

class Provider:
    dependency_overrides = {{plain: lambda: "overridden"}}

def change(anew):
    for route in app.routes:
        if getattr(route, "path", "").startswith("/answers"):
            {change}
            if anew:
                route.app = request_response(route.get_route_handler())

@app.get("/answers", response_model=Answer)
@app.get("/answers/text")
def answer(more: str | None = None, value: str = Depends(plain)):
    return {{"x": 1, "more": more, "value": value}} if more != "text" else "text"
"""
    )

    for anew in (None, False, True):
        for side in pair.sides if anew is not None else ():
            side.module.change(anew)
        for path in ("/answers", "/answers/text"):
            pair.get(path, b"more=m")
            pair.get(path)
            pair.get(path, b"more=text")


def test_web_sockets_are_changed_as_well() -> None:
    """Before the first connection and after it, on the application and included."""
    pair = Pair(
        PREAMBLE
        + """
@app.websocket("/socket")
@router.websocket("/included-socket")
async def socket(websocket: WebSocket, a: int = 0, value: str = Depends(plain)):
    await websocket.accept()
    await websocket.send_text(f"{a} {value}")
    await websocket.close()

def change():
    for context in iter_route_contexts(app.routes):
        if context.path.endswith("socket"):
            context.dependant.call = awaited(context.dependant.call)
            context.dependant.dependencies.append(guard(other))
"""
    )
    paths = ("/socket", "/p/included-socket")
    for path in paths:
        pair.websocket(Sent("GET", path, b"a=1"))
    for side in pair.sides:
        side.module.change()

    for path in paths:
        assert pair.websocket(Sent("GET", path, b"a=1")).log == ("plain", "other", "awaited")


def test_a_route_that_is_given_all_that_a_context_has_is_a_route_of_its_own() -> None:
    """So Cadwyn makes plain routes of included ones, which it changes for each of its versions."""
    pair = Pair(
        PREAMBLE
        + """
context = next(each for each in app.routes[-1].effective_route_contexts() if each.path == "/p/included/{x}")
made = copy.deepcopy(context.original_route, {id(context.original_route.dependant): context.original_route.dependant})
for name, value in vars(context).items():
    if name not in ("original_route", "starlette_route"):
        setattr(made, name, copy.copy(value) if name == "dependant" or isinstance(value, (dict, list, set)) else value)
made.app = request_response(made.get_route_handler())
made.dependant.call = anything
made.dependant.request_param_name = "the_request"
own = FastAPI(openapi_url=None)
own.router.routes.append(made)
app.mount("/own", own)
"""
    )

    for path in ("/p/included/1", "/own/p/included/1", "/own/p/included/one"):
        pair.get(path)
        pair.get(path, b"q=1&a=3")


def test_another_tree_for_a_route_is_documented() -> None:
    """Cadwyn puts the tree and the body's field of another route there."""
    pair = Pair(
        PREAMBLE.replace("openapi_url=None", "")
        + """
route = app.routes[-2]
made = APIRoute("/made/{x}", posted, dependencies=[Depends(other)])
route.dependant = made.dependant
route.body_field = made.body_field
route.app = request_response(route.get_route_handler())
"""
    )

    pair.openapi()


def test_the_body_that_is_documented_stays() -> None:
    """fastapi-jsonrpc's dependencies have parameters that no body model may have."""
    pair = Pair(
        PREAMBLE.replace("openapi_url=None", "")
        + """
def secret(_hidden: Annotated[int, Body()] = 1, _other: Annotated[int, Body()] = 2): ...
for route in app.routes:
    if route.path == "/posted/{x}":
        route.dependant.dependencies = [guard(secret)]
"""
    )

    pair.openapi()


@pytest.mark.parametrize("models", [fastapi.dependencies.models, slipstream.dependencies.models])
def test_a_dependant_is_a_dataclass_with_fastapis_fields(models: Any) -> None:
    """Packages replace fields, and make dependants by position and by name."""
    listed = [item.name for item in dataclasses.fields(models.Dependant)]
    assert listed == [item.name for item in dataclasses.fields(fastapi.dependencies.models.Dependant)]
    made = models.Dependant([], [], [], [], [], [], "name", len, "request", use_cache=False, concurrency=None)
    other = dataclasses.replace(made, name="other", scope="function", security_scopes_param_name="scopes")

    assert (made.name, made.call, made.request_param_name, made.use_cache) == ("name", len, "request", False)
    assert (other.name, other.call, other.request_param_name, other.scope) == ("other", len, "request", "function")
    assert (other.security_scopes_param_name, made.security_scopes_param_name) == ("scopes", None)
    assert inspect.signature(models.Dependant).parameters.keys() == dict.fromkeys(listed).keys()
    with pytest.raises(TypeError):
        models.Dependant(unknown=1)
