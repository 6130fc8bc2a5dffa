"""The document is FastAPI's: same content, same order, for programs that use all there is."""

import json
import warnings
from typing import Any

import pytest
from fastapi import FastAPI

from slipstream.openapi.utils import get_openapi

from . import apps
from .translate import Translation


def ours(app: FastAPI) -> dict[str, Any]:
    translation = Translation()
    return get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        summary=app.summary,
        description=app.description,
        routes=translation.routes(app.routes),
        webhooks=translation.routes(app.webhooks.routes),
        tags=app.openapi_tags,
        servers=app.servers,
        terms_of_service=app.terms_of_service,
        contact=app.contact,
        license_info=app.license_info,
        separate_input_output_schemas=app.separate_input_output_schemas,
        external_docs=app.openapi_external_docs,
    )


@pytest.mark.parametrize("name", apps.ALL)
@pytest.mark.filterwarnings("ignore")
def test_the_document_is_fastapis_byte_for_byte(name: str) -> None:
    """Clients are generated from the document; a key that moves or goes missing is a diff in someone's repository."""
    app = apps.ALL[name]()
    theirs = app.openapi()

    assert json.dumps(ours(app), indent=1) == json.dumps(theirs, indent=1)


def test_parts_of_the_document_are_not_shared() -> None:
    """Users change the document after it is made; a change in one place must not show in another."""
    app = apps.dependencies()
    document = ours(app)
    document["paths"]["/shared"]["get"]["parameters"][0]["description"] = "changed"
    document["components"]["schemas"]["HTTPValidationError"]["title"] = "changed"

    assert "changed" not in json.dumps(document["paths"]["/required-wins/{q}"])
    assert "changed" not in json.dumps(ours(app))


def test_an_operation_id_given_twice_is_warned_of() -> None:
    """Two operations of one id make generated clients lose one of them."""
    app = FastAPI()
    for path in ("/a", "/b"):
        app.get(path, operation_id="same")(lambda: None)

    with pytest.warns(UserWarning, match="Duplicate Operation ID same"):
        ours(app)


def test_a_wrong_contact_is_refused() -> None:
    """The document must be valid; what the user says about the API is checked when it is made."""
    with pytest.raises(ValueError, match="url"):
        get_openapi(title="x", version="1", routes=[], contact={"url": "not a url"})


def test_what_is_no_path_operation_is_passed_over() -> None:
    """Mounts, static files and Starlette's own routes share the list with path operations."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = get_openapi(title="x", version="1", routes=[object()])

    assert document == {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {}}
