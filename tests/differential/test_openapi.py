"""The document of drawn applications: every option of every level, in every combination."""

import warnings

from hypothesis import given, strategies as st

from slipstream.routing import iter_route_contexts

from .harness import FRAMEWORKS, Pair, Sent, load
from .strategies import PREAMBLE, body_kinds, examples, params, scalar_kinds, sequence_kinds

NAMES = """
from fastapi.responses import HTMLResponse, RedirectResponse, FileResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2PasswordBearer, SecurityScopes

bearer = HTTPBearer(auto_error=False)
oauth = OAuth2PasswordBearer(tokenUrl="t", scopes={"a": "A", "b": "B"}, auto_error=False)
key = APIKeyHeader(name="X-Key", auto_error=False)

def user(scopes: SecurityScopes, token: Annotated[Any, Depends(oauth)] = None):
    return scopes.scope_str

def own_id(route: APIRoute):
    return f"own-{route.name}-{'-'.join(map(str, route.tags))}"

def other_id(route: APIRoute):
    return f"other_{route.name}"

callbacks = APIRouter()

@callbacks.post("{$request.body#/url}/done", tags=["called"])
def done(item: Sub):
    pass

# --- end of preamble
"""

ROUTE = (
    "tags=['r']", "summary='S'", "description='D **d**'", "response_description='RD'", "deprecated=True",
    "operation_id='op_{index}'", "include_in_schema=False",
    "responses={404: {'model': Sub}, '5XX': {'description': 'five'}}",
    "responses={200: {'content': {'image/png': {}}, 'description': 'ok'}, 'default': {'model': Item}}",
    "name='n{index}'",
    "openapi_extra={'x-a': 1, 'requestBody': {'content': {'a/b': {}}}}", "status_code=201", "status_code=204",
    "response_class=HTMLResponse", "response_class=FileResponse", "response_class=RedirectResponse",
    "callbacks=callbacks.routes", "generate_unique_id_function=own_id", "dependencies=[Depends(key)]",
    "dependencies=[Security(user, scopes=['a'])]", "response_model=list[Item]", "response_model=Item",
    "response_model=Union[Cat, Dog]", "response_model=dict[str, Sub]", "response_model=None",
    "openapi_extra={'parameters': [{'name': 'z', 'in': 'query'}]}",
)  # fmt: skip

ROUTER = (
    "tags=['one', 'two']", "dependencies=[Depends(bearer)]", "dependencies=[Security(user, scopes=['b'])]",
    "responses={418: {'description': 'tea', 'model': Sub}}", "deprecated=True", "include_in_schema=False",
    "default_response_class=HTMLResponse", "generate_unique_id_function=other_id", "callbacks=callbacks.routes",
    "deprecated=False", "tags=[Colour.red]",
)  # fmt: skip

APP = (
    "title='T', version='9'", "summary='S', description='D'", "openapi_tags=[{'name': 'one', 'description': 'first'}]",
    "servers=[{'url': '/v1', 'description': 's'}]", "contact={'name': 'c', 'email': 'a@b.c'}", "root_path='/root'",
    "license_info={'name': 'MIT', 'identifier': 'MIT'}", "terms_of_service='http://t'",
    "separate_input_output_schemas=False",
    "openapi_external_docs={'url': 'http://x'}", "openapi_url='/o.json'", "docs_url=None", "redoc_url=None",
    "root_path='/root', root_path_in_servers=False", "swagger_ui_parameters={'a': 1}", "strict_content_type=False",
)  # fmt: skip

DOCS = ("", '    """Docstring.\n\n    More.\n    \\f\n    Hidden.\n    """\n')


def _options(draw: st.DrawFn, all_options: tuple[str, ...], most: int) -> list[str]:
    return draw(st.lists(st.sampled_from(all_options), max_size=most, unique_by=lambda option: option.split("=")[0]))


@st.composite
def operations(draw: st.DrawFn, router: str, index: int) -> str:
    sources = draw(st.lists(st.sampled_from(["query", "header", "cookie", "path", "body", "form"]), max_size=3))
    if "form" in sources:
        sources = [source for source in sources if source != "body"]
    kinds = {"query": scalar_kinds | sequence_kinds, "body": body_kinds, "form": scalar_kinds | sequence_kinds}
    declared = [
        draw(params(f"{source[0]}{place}", source, kinds.get(source, scalar_kinds)))
        for place, source in enumerate(sources)
    ]
    method = draw(
        st.sampled_from(["post", "put", "patch"] if {"body", "form"} & set(sources) else ["get", "post", "delete"])
    )
    path = f"/o{index}" + "".join(f"/{{{param.names[0]}}}" for param in declared if param.source == "path")
    options = ", ".join(
        [
            repr(path),
            *(option.format(index=index) if "{index}" in option else option for option in _options(draw, ROUTE, 4)),
        ]
    )
    arrow = draw(
        st.sampled_from(["", "", " -> Item", " -> list[Sub]", " -> Response", " -> None", " -> dict[str, Any]"])
    )
    parameters = ", ".join(["*", *(param.declaration for param in declared)]) if declared else ""
    doc = draw(st.sampled_from(DOCS))
    return f"@{router}.{method}({options})\ndef operation_{index}({parameters}){arrow}:\n{doc}    return None\n"


@st.composite
def sources(draw: st.DrawFn) -> str:
    text = f"app = FastAPI({', '.join(_options(draw, APP, 4))})\n"
    index = 0
    for number in range(draw(st.integers(1, 3))):
        router = "app" if number == 0 else f"r{number}"
        if number:
            prefix = draw(st.sampled_from(["", f"prefix='/p{number}'"]))
            text += (
                f"{router} = APIRouter({', '.join(part for part in (prefix, *_options(draw, ROUTER, 3)) if part)})\n"
            )
        for _ in range(draw(st.integers(1, 2))):
            text += draw(operations(router, index))
            index += 1
        if number:
            parent = draw(st.sampled_from(["app", *(["r1"] if number == 2 else [])]))
            into = ", ".join([router, *_options(draw, (*ROUTER, "prefix='/in'"), 2)])
            text += f"{parent}.include_router({into})\n"
    if draw(st.integers(0, 4)) == 0:
        text += "@app.webhooks.post('hook')\ndef hook(item: Item):\n    pass\n"
    return text


@examples(60)
@given(source=sources())
def test_the_document_says_what_fastapis_says(source: str) -> None:
    """Same keys, same order, same words: clients are generated from it."""
    pair = Pair(PREAMBLE + NAMES + source)
    if pair.is_refused:
        return
    pair.openapi()
    pair.get("/openapi.json")
    pair.request(Sent(path="/openapi.json", root_path="/proxy"))
    pair.get("/o.json")


METHODS = st.permutations(["GET", "POST", "PUT", "DELETE", "PATCH"])


@examples(30)
@given(METHODS, st.integers(1, 5), st.sampled_from(["app", "router", "subclass"]))
def test_a_route_of_several_methods_is_named_by_the_first(order: list[str], count: int, way: str) -> None:
    """FastAPI takes one of a set; whatever it takes, the rest of the document is the same."""
    methods = order[:count]
    source = {
        "app": "app = FastAPI()\n@app.api_route('/a/{x}', methods=METHODS)\ndef read(x: int): ...",
        "router": "app, router = FastAPI(), APIRouter()\n@router.api_route('/a', methods=METHODS)\n"
        "def read(): ...\napp.include_router(router, prefix='/p')",
        "subclass": "from fastapi.routing import APIRoute\nclass Own(APIRoute): ...\napp = FastAPI()\n"
        "app.router.route_class = Own\n@app.api_route('/a', methods=METHODS)\ndef read(): ...",
    }[way].replace("METHODS", repr(methods))
    theirs, ours = (load(PREAMBLE + source, framework) for framework in FRAMEWORKS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted, document = theirs.app.openapi(), ours.app.openapi()
    [route] = [each for each in iter_route_contexts(ours.app.routes) if hasattr(each, "unique_id")]

    for described in (wanted, document):
        [item] = described["paths"].values()
        assert len({operation.pop("operationId") for operation in item.values()}) == 1

    assert wanted == document
    assert route.unique_id.endswith("_" + methods[0].lower())
    assert list(route.methods) == methods


def test_methods_that_come_as_a_set_are_named_in_the_alphabets_order() -> None:
    """A set has no first; what a program adds later comes last."""
    source = "app = FastAPI()\n@app.api_route('/', methods={'PUT', 'GET', 'POST'})\ndef read(): ...\n"
    route = load(PREAMBLE + source, "slipstream").app.routes[-1]

    assert route.unique_id == "read__get"
    route.methods |= {"DELETE", "COPY"}
    assert list(route.methods) == ["GET", "POST", "PUT", "COPY", "DELETE"]
    assert route.methods == {"GET", "POST", "PUT", "COPY", "DELETE"}
