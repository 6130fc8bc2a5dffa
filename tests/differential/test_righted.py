"""What FastAPI gets wrong and is right here; docs/differences.md lists each."""

import pytest
from hypothesis import given, strategies as st

from slipstream.exceptions import DefinitionWarning

from .differences import Difference
from .harness import Pair, Sent, load
from .strategies import PREAMBLE, examples

TASKS = """
from starlette.background import BackgroundTask
from fastapi.routing import APIRoute
app, log = FastAPI(), []

def injected(tasks: BackgroundTasks):
    tasks.add_task(log.append, "injected")

def cleaning(tasks: BackgroundTasks):
    tasks.add_task(log.append, "before")
    yield
    log.append("closed")
    tasks.add_task(log.append, "after")

class Own(APIRoute):
    def get_route_handler(self):
        handle = super().get_route_handler()
        async def own(request): return await handle(request)
        return own

shared = JSONResponse(1)
# --- end of preamble
"""

DEPENDENCIES = {"injected": ["injected"], "cleaning": ["before"]}
RESULTS = {
    "1": [],
    "JSONResponse(1)": [],
    "JSONResponse(1, background=BackgroundTask(log.append, 'own'))": ["own"],
    "shared": [],
}


@examples(60)
@given(
    st.lists(st.sampled_from(sorted(DEPENDENCIES)), unique=True, max_size=2),
    st.sampled_from(sorted(RESULTS)),
    st.sampled_from(["", ", response_class=HTMLResponse"]),
    st.sampled_from(["async def", "def"]),
)
def test_every_background_task_runs_once(used: list[str], result: str, option: str, kind: str) -> None:
    """FastAPI drops injected ones where the response has its own, and those of a dependency's clean-up."""
    result = "'1'" if option and result == "1" else result
    text = (
        "from fastapi.responses import HTMLResponse\n"
        + TASKS
        + (
            f"@app.get('/', dependencies=[{', '.join(f'Depends({name})' for name in used)}]{option})\n"
            f"{kind} read():\n    return {result}\n"
        )
    )
    own = RESULTS.get(result, [])
    wanted = own + [task for name in used for task in DEPENDENCIES[name]]
    wanted += ["closed", "after"] if "cleaning" in used else []

    runs_all = Difference("tasks", "every task runs", lambda theirs, ours: theirs.body == ours.body)
    pair = Pair(PREAMBLE + text, (runs_all,))

    for _ in range(2):  # the second time too, where a response is shared
        assert list(pair.request(Sent()).log) == wanted


@pytest.mark.parametrize("way", ["app.router.route_class = Own\n", "app.router.dependencies = [Depends(looks)]\n"])
@pytest.mark.parametrize("used", ["injected", "cleaning"])
@pytest.mark.parametrize(("result", "own"), [("1", []), *list(RESULTS.items())[1:]])
def test_every_kind_of_task_runs_under_a_route_class_and_step_by_step(
    way: str, used: str, result: str, own: list[str]
) -> None:
    """There the response is an object that a function of the user's sees."""
    text = TASKS + "def looks(): len(app.dependency_overrides)\n" + way
    text += f"@app.get('/', dependencies=[Depends({used})])\ndef read():\n    return {result}\n"
    side = load(PREAMBLE + text, "slipstream")

    for _ in range(2):
        later = ["closed", "after"] if used == "cleaning" else []
        assert list(side.request(Sent()).log) == [*own, *DEPENDENCIES[used], *later]


MODEL = """
app, log = FastAPI(), []

class Span(BaseModel):
    low: int = 1
    high: int = Field(3, alias="top")
    @field_validator("low")
    @classmethod
    def not_four(cls, value):
        if value == 4: raise ValueError("four")
        return value
    @model_validator(mode="after")
    def is_span(self):
        if self.low > self.high: raise ValueError("empty")
        return self
"""


STEPWISE = "def looks(): len(app.dependency_overrides)\napp = FastAPI(dependencies=[Depends(looks)])\n"
"""Looks as if it could install an override in a request, so that routes are served step by step."""


@pytest.mark.parametrize("way", ["", STEPWISE])
@pytest.mark.parametrize("marker", ["Depends()", "Depends(Span)"])
@pytest.mark.parametrize("query", [b"", b"low=2", b"low=5", b"low=4", b"low=x", b"top=0", b"low=4&top=9"])
def test_a_model_that_is_a_dependency_refuses_with_422(way: str, marker: str, query: bytes) -> None:
    """What its own validators refuse is as wrong as what the parameters' types refuse; FastAPI answers 500."""
    text = MODEL + way + f"@app.get('/')\ndef read(span: Annotated[Span, {marker}]):\n    return span\n"
    text += f"@app.websocket('/')\nasync def socket(websocket: WebSocket, span: Annotated[Span, {marker}]):\n"
    text += "    await websocket.accept()\n    await websocket.close()\n"
    refused = Difference(
        "model", "422", lambda theirs, ours: theirs.status == 500 and ours.status == 422 and not ours.raised
    )
    pair = Pair(PREAMBLE + text, (refused,))

    answer = pair.request(Sent(query=query))

    for error in answer.json["detail"] if answer.status == 422 else ():
        assert tuple(error["loc"]) in {("query",), ("query", "low"), ("query", "top")}
    talk = pair.ours.websocket(Sent(query=query), ())
    assert ("1008" in str(talk.messages)) == (answer.status == 422)


@pytest.mark.parametrize(("status", "code"), [(404, 1008), (401, 1008), (500, 1011), (503, 1011)])
@pytest.mark.parametrize("detail", ["'gone'", "None", "'é' * 100", "{'a': 1}"])
def test_an_http_exception_after_accept_closes_the_websocket(status: int, code: int, detail: str) -> None:
    """FastAPI sends the start of an HTTP response, which no server takes then."""
    text = f"""
app = FastAPI()
def use(websocket: WebSocket): ...
@app.websocket("/")
async def read(websocket: WebSocket):
    await websocket.accept()
    raise HTTPException({status}, {detail})
"""
    accepted, closed = load(PREAMBLE + text, "slipstream").websocket(Sent(), ()).messages

    assert "websocket.accept" in accepted
    message = dict(eval(closed))
    assert (message["type"], message["code"]) == ("websocket.close", code)
    assert len(message["reason"].encode()) <= 123


def test_an_http_exception_before_accept_is_an_answer() -> None:
    """As under FastAPI."""
    text = "app = FastAPI()\n@app.websocket('/')\nasync def read(websocket: WebSocket): raise HTTPException(404)"

    assert "websocket.http.response.start" in str(Pair(PREAMBLE + text).websocket(Sent()).messages)


MOUNTED = """
app, inner, router = FastAPI(), FastAPI(), APIRouter()
for each in (app, inner, router):
    @each.api_route("/r", methods=["GET", "POST"])
    def read() -> int:
        return "x"
    @each.get("/q")
    def ask(q: int): ...
app.include_router(router, prefix="/included")
app.mount("/in/{tenant}", inner)
log = []
"""


@pytest.mark.parametrize("path", ["/r", "/included/r", "/in/1/r", "/in/1/q", "/included/q"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("root_path", ["", "/proxy"])
def test_a_validation_error_says_the_path_of_the_mount(path: str, method: str, root_path: str) -> None:
    """With the request's method, where a route has several; and the place of the function."""
    handler = """
from fastapi.exceptions import RequestValidationError, ResponseValidationError
for each in (app, inner):
    @each.exception_handler(ResponseValidationError)
    @each.exception_handler(RequestValidationError)
    def on_error(request, exc):
        return JSONResponse([exc.endpoint_path, exc.endpoint_ctx, str(exc).splitlines()[-1]])
"""
    Pair(PREAMBLE + MOUNTED + handler).request(Sent(method, path, root_path=root_path))
    Pair(PREAMBLE + MOUNTED).request(Sent(method, path, root_path=root_path))


def test_an_override_that_a_mounted_application_lacks_is_told() -> None:
    """It holds in the application whose routes it was set for; FastAPI says nothing."""
    text = """
app, inner, other = FastAPI(), FastAPI(), FastAPI()
def use(): return "real"
for each in (app, inner, other):
    @each.get("/x")
    def read(value=Depends(use)):
        return value
app.mount("/inner", inner)
app.mount("/other", other)
app.dependency_overrides[use] = other.dependency_overrides[use] = lambda: "other"
"""
    pair = Pair(PREAMBLE + text)

    with pytest.warns(DefinitionWarning, match="does not hold in the application mounted at '/inner'") as told:
        answers = [pair.ours.request(Sent(path=path)).json for path in ("/x", "/inner/x", "/other/x")]

    assert answers == ["other", "real", "other"]
    assert len({str(each.message) for each in told}) == 1
    assert "at <application>:" in str(told[0].message)
