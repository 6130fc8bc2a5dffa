"""The OpenAPI models: FastAPI's names and fields, built when they are used."""

import inspect
import logging
import subprocess
import sys
from typing import Any

import fastapi.openapi.models
import pytest
from pydantic import BaseModel, ValidationError

from slipstream.openapi import constants, models

NAMES = [
    name
    for name, value in vars(fastapi.openapi.models).items()
    if inspect.isclass(value) and value.__module__ == fastapi.openapi.models.__name__
]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_the_fields_of_fastapis(name: str) -> None:
    """Packages build documents from them."""
    ours, theirs = getattr(models, name), getattr(fastapi.openapi.models, name)

    if issubclass(theirs, BaseModel):
        assert {key: (info.alias, info.is_required(), info.metadata) for key, info in ours.model_fields.items()} == {
            key: (info.alias, info.is_required(), info.metadata) for key, info in theirs.model_fields.items()
        }
        assert ours.model_config.get("extra") == theirs.model_config.get("extra")
        assert issubclass(ours, BaseModel)
    elif hasattr(theirs, "__members__"):
        assert {key: each.value for key, each in ours.__members__.items()} == {
            key: each.value for key, each in theirs.__members__.items()
        }
    else:
        assert ours.__annotations__.keys() == theirs.__annotations__.keys()


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "T", "version": "1", "contact": {"email": "a@example.com"}, "x-own": 1},
    "servers": [{"url": "/v1"}, {"url": "https://a.b"}],
    "paths": {
        "/items": {
            "get": {
                "parameters": [
                    {"name": "q", "in": "query", "schema": {"type": ["string", "null"], "examples": ["a"]}},
                    {"$ref": "#/components/parameters/x"},
                ],
                "responses": {
                    "200": {"description": "D", "content": {"application/json": {"schema": {"$ref": "#/a"}}}}
                },
                "callbacks": {"event": {"{$url}": {"post": {"responses": {}}}}},
                "security": [{"key": []}],
            }
        }
    },
    "components": {
        "schemas": {"A": {"properties": {"b": {"items": {"anyOf": [{"type": "integer"}, True]}}}, "x-own": 1}},
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "k"}},
    },
}


def test_a_document_comes_through_as_through_fastapis() -> None:
    """Extensions are kept, references stay references, empty fields go."""
    ours, theirs = (
        module.OpenAPI(**DOCUMENT).model_dump(mode="json", by_alias=True, exclude_none=True)
        for module in (models, fastapi.openapi.models)
    )

    assert ours == theirs


def test_an_email_address_is_checked() -> None:
    """Where email-validator is installed, as it is here."""
    with pytest.raises(ValidationError, match="email"):
        models.Contact(email="nobody")


def test_an_email_address_passes_where_nobody_can_check_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The package is optional; the document is not."""
    monkeypatch.setattr(models, "find_spec", lambda name: None)

    class Contact(BaseModel):
        email: models.EmailStr

    with caplog.at_level(logging.WARNING, "slipstream"):
        assert Contact(email="nobody").email == "nobody"
    assert Contact.model_json_schema()["properties"]["email"]["format"] == "email"


def test_importing_the_models_builds_no_validator() -> None:
    """Forty of them cost 190 ms, and most programs use four."""
    code = (
        "import slipstream.security, slipstream.openapi.models as m;"
        "built = [n for n, c in vars(m).items() if isinstance(c, type) and issubclass(c, m.BaseModel)"
        " and c is not m.BaseModel and c.__pydantic_complete__ and '__pydantic_validator__' in vars(c)];"
        "print(built)"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_constants_are_fastapis() -> None:
    """Packages build references with them."""
    assert constants.REF_PREFIX == fastapi.openapi.constants.REF_PREFIX
    assert constants.REF_TEMPLATE == fastapi.openapi.constants.REF_TEMPLATE
    assert constants.METHODS_WITH_BODY == fastapi.openapi.constants.METHODS_WITH_BODY
