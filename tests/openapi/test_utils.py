"""FastAPI's steps of making the document, one by one, as packages call them."""

from typing import Annotated, Any

import pytest

from slipstream import Body, Depends, FastAPI, Header, Security
from slipstream.openapi import utils
from slipstream.security import HTTPBearer


def shop() -> FastAPI:
    app = FastAPI()
    bearer = HTTPBearer()

    @app.post("/items/{item_id}", tags=["shop"], deprecated=True)
    def add_item(
        item_id: int,
        note: Annotated[str, Body()],
        x_trace: Annotated[str, Header()],
        token: Annotated[Any, Security(bearer, scopes=["write"])],
    ) -> list[int]:
        """Add."""

    return app


def route_of(app: FastAPI) -> Any:
    return next(route for route in app.routes if hasattr(route, "plan"))


def test_the_steps_give_the_parts_of_the_document() -> None:
    """Cadwyn and others take fields, definitions and paths one after the other."""
    app = shop()
    fields = utils.get_fields_from_routes(app.routes)
    mapping, definitions = utils.get_definitions(fields=fields)
    path, schemes, errors = utils.get_openapi_path(route=route_of(app), operation_ids=set(), field_mapping=mapping)
    document = app.openapi()

    assert path == document["paths"]["/items/{item_id}"]
    assert schemes == document["components"]["securitySchemes"]
    assert {**definitions, **errors} == document["components"]["schemas"]


def test_parameters_and_body_of_an_operation() -> None:
    """TiTiler asks for the parameters of a dependant to describe its own links."""
    app = shop()
    route = route_of(app)
    mapping, _ = utils.get_definitions(fields=utils.get_fields_from_routes(app.routes))
    data = utils._get_openapi_dependency_data(route.dependant)
    parameters = utils._get_openapi_operation_parameters(dependency_data=data, field_mapping=mapping)
    body = utils.get_openapi_operation_request_body(body_field=route.body_field, field_mapping=mapping)
    operation = app.openapi()["paths"]["/items/{item_id}"]["post"]

    assert parameters == operation["parameters"]
    assert body == operation["requestBody"]
    assert utils.get_openapi_operation_request_body(body_field=None, field_mapping=mapping) is None


def test_security_of_a_dependant() -> None:
    """Definitions and requirements, as they stand in the document."""
    route = route_of(shop())
    expected = ({"HTTPBearer": {"type": "http", "scheme": "bearer"}}, [{"HTTPBearer": ["write"]}])

    assert utils.get_openapi_security_definitions(route.dependant) == expected
    data = utils._get_openapi_dependency_data(route.dependant)
    assert utils._get_openapi_security_definitions(data.security) == expected


def test_texts_of_an_operation() -> None:
    """Summary and id are made from the function's name."""
    route = route_of(shop())

    assert utils.get_openapi_operation_metadata(route=route, method="POST", operation_ids=set()) == {
        "tags": ["shop"],
        "summary": "Add Item",
        "description": "Add.",
        "operationId": "add_item_items__item_id__post",
        "deprecated": True,
    }
    assert utils.generate_operation_summary(route=route, method="POST") == "Add Item"
    with pytest.warns(DeprecationWarning, match="unique_id"):
        assert utils.generate_operation_id(route=route, method="POST") == "add_item_items__item_id__post"


def test_a_dependency_without_parameters_needs_no_validation_error() -> None:
    """Only what can be invalid is documented as such."""
    app = FastAPI(dependencies=[Depends(lambda: None)])
    app.get("/")(lambda: None)

    assert "components" not in app.openapi()
