"""Numbers that JSON has not, infinities and NaN: in the OpenAPI document and in results."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from slipstream.exceptions import DefinitionWarning

from .differences import UNSPEAKABLE_RESULT
from .harness import Pair, Sent, load
from .strategies import PREAMBLE, examples

NUMBERS = st.sampled_from(["float('inf')", "float('-inf')", "float('nan')", "1.5", "2", "-0.0"])

PLACES = (
    "def read(x: float = NUMBER): ...",
    "def read(x: Annotated[float, Body()] = NUMBER): ...",
    "def read(x: Annotated[float, Header(le=BOUND)] = 1): ...",
    "def read(x: Annotated[float, Query(ge=BOUND, lt=BOUND)] = NUMBER): ...",
    "def read(x: Annotated[float, Query(examples=[NUMBER, 1.0])] = 1): ...",
    "def read(x: Annotated[float, Cookie(json_schema_extra={'x-a': NUMBER, 'b': {'c': [NUMBER]}})] = 1): ...",
    "def read(x: Annotated[float, Query(openapi_examples={'a': {'value': NUMBER}})] = 1): ...",
    "def read(x: Annotated[list[float], Query()] = [NUMBER]): ...",
    "def read(x: Annotated[Numbers, Query()]): ...",
    "def read(x: Numbers) -> Numbers: ...",
    "def read(x: Annotated[list[Numbers], Body(examples=[[{'a': NUMBER}]])]): ...",
)

ROUTES = (
    "@app.post('/')",
    "@app.post('/', openapi_extra={'x-a': NUMBER, 'x-b': [NUMBER], 'x-c': {'d': NUMBER}})",
    "@app.post('/', responses={200: {'content': {'application/json': {'example': NUMBER}}}})",
)

MODEL = """
class Numbers(BaseModel):
    a: float = NUMBER
    b: list[float] = [NUMBER]
    c: dict[str, float] = {'x': NUMBER}
    d: float = Field(1, le=BOUND, examples=[NUMBER])
"""


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = MODEL + draw(st.sampled_from(ROUTES)) + "\n" + draw(st.sampled_from(PLACES))
    while "BOUND" in text:  # for a bound that is NaN, FastAPI's own document is not JSON
        text = text.replace("BOUND", draw(NUMBERS.filter(lambda number: "nan" not in number)), 1)
    while "NUMBER" in text:
        text = text.replace("NUMBER", draw(NUMBERS), 1)
    return PREAMBLE + "app = FastAPI()\n" + text


@examples(80)
@given(documents())
def test_the_document_leaves_out_what_json_has_not(source: str) -> None:
    """A key with such a number is left out, and in a list it is null; the document is served as valid JSON."""
    pair = Pair(source)

    pair.openapi()
    answer = pair.get("/openapi.json")

    assert answer.status == 200
    json.loads(answer.body, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise AssertionError(f"{name} in a document")


VALUES = st.recursive(
    NUMBERS | st.sampled_from(["None", "'a'", "True"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["'k'", "'l'", "3", "None"]), inner, max_size=2).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=6,
)

RESULTS = (
    ("", "{}"), ("", "Numbers(a=1, b={})"), ("-> Numbers", "Numbers(a=1, b={})"), ("-> Any", "{}"),
    ("-> dict[str, Any]", "{{'k': {}}}"), ("", "Record({})"),
)  # fmt: skip

RESULT_TYPES = """
class Numbers(BaseModel):
    a: float
    b: Any

@dataclasses.dataclass
class Record:
    b: Any
"""


@st.composite
def results(draw: st.DrawFn) -> tuple[str, str]:
    """Draw an endpoint, and its twin with None in the place of numbers that JSON has not."""
    returns, result = draw(st.sampled_from(RESULTS))
    options = draw(st.sampled_from(["", ", response_class=JSONResponse", ", response_model_exclude_none=False"]))
    value = result.format(draw(VALUES))
    text = f"@app.get('/'{options})\n{draw(st.sampled_from(['async def', 'def']))} read() {returns}:\n    return VALUE"
    written = PREAMBLE + "app = FastAPI()\n" + RESULT_TYPES + text.replace("VALUE", value)
    for odd in ("float('inf')", "float('-inf')", "float('nan')"):
        value = value.replace(odd, "None")
    return written, PREAMBLE + "app = FastAPI()\n" + RESULT_TYPES + text.replace("VALUE", value)


@examples(80)
@given(results())
def test_a_result_has_null_for_what_json_has_not(sources: tuple[str, str]) -> None:
    """FastAPI answers 500 for some of them; then the answer is the one for None in such a number's place."""
    odd, plain = sources
    wanted = Pair(plain).get("/")
    pair = Pair(odd, (UNSPEAKABLE_RESULT,))

    answer = pair.get("/")

    assert answer.status == 200
    if pair.theirs.request(Sent()).status == 500:
        assert answer == wanted


def test_a_key_that_is_no_number_of_jsons_is_text() -> None:
    """As Python's `json` spells it, and FastAPI in streams."""
    source = PREAMBLE + "app = FastAPI()\n@app.get('/')\ndef read():\n    return {float('inf'): 1, None: 2}"

    assert Pair(source, (UNSPEAKABLE_RESULT,)).get("/").json == {"Infinity": 1, "null": 2}


def test_a_bound_that_is_not_a_number_is_left_out() -> None:
    """FastAPI's document says NaN, which is not JSON."""
    source = PREAMBLE + "app = FastAPI()\n@app.get('/')\ndef read(x: Annotated[float, Query(le=float('nan'))] = 1): ..."

    schema = load(source, "slipstream").app.openapi()["paths"]["/"]["get"]["parameters"][0]["schema"]

    assert schema == {"type": "number", "default": 1, "title": "X"}


@pytest.mark.parametrize("said", ["= float('inf')", "= Query(1, examples=[float('nan')])", "= Body([float('inf')])"])
def test_what_the_document_lacks_is_told_when_the_route_is_registered(said: str) -> None:
    """At the endpoint's place."""
    source = PREAMBLE + f"app = FastAPI()\n@app.post('/')\ndef read(x: float {said}): ..."
    code = compile(source.replace("fastapi", "slipstream"), "<application>", "exec")

    with pytest.warns(DefinitionWarning, match="'x' is a number that JSON has not") as told:
        exec(code, {})

    assert [(each.filename, each.lineno) for each in told] == [("<application>", source.count("\n"))]
