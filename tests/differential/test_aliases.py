"""Type aliases: a parameter means what it means with the alias written out.

FastAPI gets each program with the aliases written out, slipstream gets it with them; FastAPI takes most aliases for
scalars.
"""

import json
import sys
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from .harness import FRAMEWORKS, Sent, Side, load
from .strategies import PREAMBLE, examples

TYPES = ("int", "str", "list[int]", "set[str]", "list[str] | None", "dict[str, int]", "Item", "list[Item]", "Colour")

# What a parameter says; TYPE is written out for FastAPI, and is an alias here.
FORMS = (
    "p: TYPE",
    "p: TYPE | None = None",
    "p: Annotated[TYPE, Query()]",
    "p: Annotated[TYPE, Query(alias='q')]",
    "p: Annotated[TYPE | None, Query()] = None",
    "p: Annotated[TYPE, Body(embed=True)]",
    "p: Annotated[TYPE, Header()]",
    "p: Annotated[TYPE, Form()]",
    "p: list[TYPE] = Query()",
    "p: Annotated[list[TYPE], Body()]",
    "p: TYPE = Query(alias='q')",
    "p: Annotated[Annotated[TYPE, Query(alias='q')], Field(description='d')]",
    "p: Annotated[Holder, Query()]",
    "p: Annotated[int, Depends(use)]",
    "p: Annotated[Service[TYPE], Depends(Service)]",
)

# Declares WHOLE as an alias by one of Python's ways; the last is a generic one.
WAYS = ("A = TypeAliasType('A', WHOLE)", "type A = WHOLE", "A = TypeAliasType('A', Annotated[WHOLE, 'a note'])")

CLASSES = """
from typing_extensions import TypeAliasType

class Item(BaseModel):
    n: int = 1
    s: str = "s"

class Service(Generic[T]):
    def __init__(self, q: str = "q"):
        self.q = q

    def __repr__(self):
        return self.q

def use(q: TYPE = Query()):
    return q

class Holder(BaseModel):
    p: TYPE = Field(alias="q")
"""

REQUESTS = [
    Sent("POST", "/", query, headers, (body,))
    for query in (b"", b"p=1&p=2&q=3&q=4", b"p=red&q=blue", b"n=5&s=t")
    for headers, body in (
        (((b"content-type", b"application/json"), (b"p", b"6")), b'{"p": [7], "n": 8}'),
        (((b"content-type", b"application/json"),), b'[{"n": 9}]'),
        (((b"content-type", b"application/x-www-form-urlencoded"),), b"p=1&p=2&n=3"),
    )
]


def sources(form: str, whole: str, way: str) -> tuple[str, str]:
    """Return a program with a type written out, and with an alias in its place."""
    route = f"app = FastAPI()\n@app.post('/')\nasync def read({form}):\n    return repr(p)\n"
    text = PREAMBLE + CLASSES + route
    # Behind the classes that it may name, and before those that name it.
    alias = way.replace("WHOLE", whole) + "\n"
    return text.replace("TYPE", whole), text.replace("class Service", alias + "\nclass Service", 1).replace("TYPE", "A")


def compare(plain: str, aliased: str) -> None:
    theirs, ours = (load(text, framework) for text, framework in zip((plain, aliased), FRAMEWORKS, strict=True))
    direct = replace(load(aliased, FRAMEWORKS[1]), is_direct=True)
    assert (theirs.error is None) == (ours.error is None), f"{aliased}\n{theirs.error!r}\n{ours.error!r}"
    for sent in REQUESTS if theirs.error is None else ():
        wanted = theirs.request(sent)
        assert wanted == ours.request(sent) == direct.request(sent), f"{aliased}\n{sent}"


@examples(120)
@given(st.sampled_from(FORMS), st.sampled_from(TYPES), st.sampled_from(WAYS))
def test_an_alias_means_what_it_stands_for(form: str, whole: str, way: str) -> None:
    """Whatever it is in: a union, a list, a model's field, metadata."""
    if way.startswith("type ") and sys.version_info < (3, 12):
        way = WAYS[0]
    compare(*sources(form, whole, way))


GENERIC = {
    "Annotated[list[int], Query(alias='q')]": ("Annotated[list[V], Query(alias='q')]", "[int]"),
    "Annotated[int, Query(alias='q')]": ("Annotated[V, Query(alias='q')]", "[int]"),
    "Annotated[str | None, Query(alias='q')]": ("Annotated[V, Query(alias='q')]", "[str | None]"),
    "Annotated[dict[str, int], Body()]": ("Annotated[dict[V, W], Body()]", "[str, int]"),
    "Annotated[dict[int, str], Body()]": ("Annotated[dict[W, V], Body()]", "[str, int]"),
    "list[Item]": ("list[V]", "[Item]"),
    "Annotated[Any, Depends(get)]": ("Annotated[V, Depends(get)]", "[int]"),
    "Annotated[Any, Depends(keep)]": ("Annotated[Service[V], Depends()]", "[int]"),
}


@pytest.mark.parametrize("plain", GENERIC)
@pytest.mark.parametrize("way", ["TypeAliasType", "type"])
def test_a_generic_alias_is_filled_in(plain: str, way: str) -> None:
    """Types go to where their variables stand, in the order in which the alias declares these."""
    if way == "type" and sys.version_info < (3, 12):
        pytest.skip("the statement is Python 3.12's")
    value, given_types = GENERIC[plain]
    names = "VW" if "W" in value else "V"
    statement = f"type G[{', '.join(names)}] = {value}"
    call = f"G = TypeAliasType('G', {value}, type_params=({', '.join(names)},))"
    text = PREAMBLE + (
        "from typing_extensions import TypeAliasType\n"
        "V, W = TypeVar('V'), TypeVar('W')\n"
        "def get(q: int = 1): return q\n"
        "class Service(Generic[V]):\n"
        "    def __init__(self, q: V): self.q = q\n"
        "    def __repr__(self): return repr(self.q)\n"
        "def keep(q: int): return q\n"
        f"{statement if way == 'type' else call}\n"
        "app = FastAPI()\n"
        "@app.post('/')\nasync def read(p: TYPE):\n    return repr(p)\n"
    )
    theirs = text.replace(statement if way == "type" else call, "").replace("TYPE", plain)

    compare(theirs, text.replace("TYPE", "G" + given_types))


@pytest.mark.parametrize("marker", ["Depends()", "Depends(Service[int])"])
def test_a_generic_class_may_be_a_dependency(marker: str) -> None:
    """Its constructor's variables are the types given; one class with other types is another dependency."""
    text = (
        PREAMBLE
        + f"""
class Service(Generic[T]):
    made = 0
    def __init__(self, q: T, several: list[T] = Query([])):
        Service.made += 1
        self.told = [q, several, Service.made]
app = FastAPI()
@app.get("/")
def read(a: Annotated[Service[int], {marker}], b: Annotated[Service[int], {marker}],
         c: Annotated[Service[str], Depends()]):
    return [a.told, b.told, c.told]
"""
    )
    side: Side = load(text, "slipstream")

    assert json.loads(side.request(Sent(query=b"q=3&several=4")).body) == [[3, [4], 1], [3, [4], 1], ["3", ["4"], 2]]
    wrong = json.loads(side.request(Sent(query=b"q=x")).body)
    assert {error["type"] for error in wrong["detail"]} == {"int_parsing"}
    assert "Service" in side.app.routes[-1].source


def test_an_alias_may_stand_for_a_response() -> None:
    """Which is no response model."""
    text = (
        PREAMBLE
        + """
from typing_extensions import TypeAliasType
R = TypeAliasType("R", PlainTextResponse)
app = FastAPI()
@app.get("/")
def read() -> R:
    return PlainTextResponse("plain")
"""
    )
    assert load(text, "slipstream").request(Sent()).body == b"plain"
