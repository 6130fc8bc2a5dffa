"""The document is FastAPI's: same content, same order, for programs that use all there is."""

import json
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from slipstream import APIRouter, Depends, FastAPI, Query
from slipstream.openapi.utils import get_openapi

_SOURCE = Path(__file__).with_name("apps.py")


def programs(framework: str) -> dict[str, Any]:
    """Load the programs in `apps.py` on top of a framework, under one module name for both."""
    module = ModuleType("apps")
    code = compile(_SOURCE.read_text().replace("from fastapi", f"from {framework}"), str(_SOURCE), "exec")
    sys.modules["apps"] = module  # where Pydantic looks for the names in annotations
    exec(code, module.__dict__)
    return module.ALL  # type: ignore[no-any-return]


THEIRS, OURS = programs("fastapi"), programs("slipstream")


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.filterwarnings("ignore")
def test_the_document_is_fastapis_byte_for_byte(name: str) -> None:
    """Clients are generated from the document; a key that moves or goes missing is a diff in someone's repository."""
    theirs = THEIRS[name]().openapi()
    ours = OURS[name]().openapi()

    assert json.dumps(ours, indent=1) == json.dumps(theirs, indent=1)


def test_parts_of_the_document_are_not_shared() -> None:
    """Users change the document after it is made; a change in one place must not show in another."""

    def paging(limit: int = 10) -> None: ...

    app = FastAPI(dependencies=[Depends(paging)])
    for path in ("/a", "/b"):
        app.get(path)(lambda: None)
    document = app.openapi()
    document["paths"]["/a"]["get"]["parameters"][0]["schema"]["title"] = "changed"
    document["components"]["schemas"]["HTTPValidationError"]["title"] = "changed"

    assert "changed" not in json.dumps(document["paths"]["/b"])
    assert "changed" not in json.dumps(get_openapi(title="x", version="1", routes=app.routes))


def test_an_operation_id_given_twice_is_warned_of() -> None:
    """Two operations of one id make generated clients lose one of them."""
    app = FastAPI()
    for path in ("/a", "/b"):
        app.get(path, operation_id="same")(lambda: None)

    with pytest.warns(UserWarning, match="Duplicate Operation ID same"):
        app.openapi()


def test_a_wrong_contact_is_refused() -> None:
    """The document must be valid; what the user says about the API is checked when it is made."""
    with pytest.raises(ValueError, match="url"):
        get_openapi(title="x", version="1", routes=[], contact={"url": "not a url"})


def test_a_status_that_is_none_is_refused() -> None:
    """Keys of `responses=` are statuses or ranges of them."""
    app = FastAPI()
    app.get("/", responses={"hello": {"description": "x"}})(lambda: None)

    with pytest.raises(ValueError, match="hello"):
        app.openapi()


def test_what_is_no_path_operation_is_passed_over() -> None:
    """Mounts, static files and Starlette's own routes share the list with path operations."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = get_openapi(title="x", version="1", routes=[object()])

    assert document == {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {}}


def test_a_route_added_after_inclusion_is_documented() -> None:
    """Included routers stay live."""
    router = APIRouter()
    app = FastAPI()
    app.include_router(router, prefix="/late")
    assert app.openapi()["paths"] == {}

    router.get("/one")(lambda: None)

    assert list(app.openapi()["paths"]) == ["/late/one"]


def test_fields_that_are_equal_but_read_otherwise_have_schemas_of_their_own() -> None:
    """Schemas are shared between fields; 1 and True, or unions in another order, are not the same."""
    app = FastAPI()

    @app.get("/")
    def endpoint(
        a: int | str = Query(1), b: str | int = Query(1), c: float = 1.0, d: bool = True, e: float = Query(0.0, gt=0)
    ) -> None: ...

    parameters = app.openapi()["paths"]["/"]["get"]["parameters"]
    types = [parameter["schema"].get("anyOf", parameter["schema"].get("type")) for parameter in parameters]

    assert types == [
        [{"type": "integer"}, {"type": "string"}],
        [{"type": "string"}, {"type": "integer"}],
        "number",
        "boolean",
        "number",
    ]
    assert parameters[3]["schema"]["default"] is True


def test_the_old_name_of_the_schema_extra_is_honoured() -> None:
    """Programs written for Pydantic 1 say `schema_extra`; FastAPI drops their examples without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pydantic says that both the class and the key are old

        class Old(BaseModel):
            name: str

            class Config:
                schema_extra = {"example": {"name": "lamp"}}

    app = FastAPI()

    @app.post("/old")
    async def create(old: Old) -> None: ...

    assert app.openapi()["components"]["schemas"]["Old"]["example"] == {"name": "lamp"}
