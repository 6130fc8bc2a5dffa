"""What happens to an endpoint with a form where python-multipart is missing."""

import sys
from types import ModuleType
from typing import Annotated, Any

import pytest

from slipstream import FastAPI, File, Form, UploadFile
from slipstream._engine.errors import NO_FORM_PARSER, OTHER_FORM_PARSER, FormParserMissing
from slipstream._engine.plan.build import require_form_parser


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that says which modules can be imported, with which attributes."""

    def install(**modules: dict[str, Any]) -> None:
        for name in ("python_multipart", "multipart", "multipart.multipart"):
            monkeypatch.setitem(sys.modules, name, None)
        for name, attributes in modules.items():
            module: Any = ModuleType(name)
            module.__dict__.update(attributes)
            monkeypatch.setitem(sys.modules, name.replace("__", "."), module)

    return install


async def with_form(name: Annotated[str, Form()]) -> None: ...
async def with_bytes(content: Annotated[bytes, File()]) -> None: ...
async def with_upload(file: UploadFile) -> None: ...


@pytest.mark.parametrize("endpoint", [with_form, with_bytes, with_upload])
def test_a_form_without_a_parser_fails_at_registration(installed: Any, endpoint: Any) -> None:
    """Else the first user who sends the form would find out."""
    installed()

    with pytest.raises(RuntimeError, match=NO_FORM_PARSER) as caught:
        FastAPI().post("/")(endpoint)
    assert endpoint.__name__ in str(caught.value)
    assert "pip install python-multipart" in str(caught.value)


def test_the_package_of_a_similar_name_is_called_by_its_name(installed: Any) -> None:
    """`pip install multipart` is a mistake that is easily made, and "not installed" would be no help."""
    installed(multipart={"__version__": "1.2.1"})

    with pytest.raises(FormParserMissing, match=OTHER_FORM_PARSER) as caught:
        require_form_parser("shop.py:1 in upload")
    assert caught.value.other == "multipart"
    assert "pip uninstall multipart" in str(caught.value)


def test_an_old_release_under_the_old_name_still_serves(installed: Any) -> None:
    """Up to 0.0.12 python-multipart was imported as multipart."""
    installed(multipart={"__version__": "0.0.12"}, multipart__multipart={"parse_options_header": len})

    require_form_parser("shop.py:1 in upload")


@pytest.mark.parametrize("version", ["0.0.13", "0.0.100", "0.1", "1.0.0rc1"])
def test_releases_under_the_new_name_serve(installed: Any, version: str) -> None:
    """Releases are compared as numbers: 0.0.100 comes after 0.0.12."""
    installed(python_multipart={"__version__": version})

    require_form_parser("shop.py:1 in upload")


def test_an_endpoint_without_a_form_needs_no_parser(installed: Any) -> None:
    """The package is an extra."""
    installed()

    FastAPI().post("/")(lambda: None)
