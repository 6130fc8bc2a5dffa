"""The parameter classes against FastAPI's: same signatures, same field descriptions, same warnings."""

import copy
import dataclasses
import inspect
import re
import warnings
from typing import Annotated, Any

import anyio
import fastapi.param_functions
import fastapi.params
import pytest
from pydantic import AliasChoices, TypeAdapter
from pydantic.fields import FieldInfo

from slipstream import param_functions, params
from slipstream._engine.abc import is_dependency_marker, is_value_marker
from slipstream.exceptions import FastAPIDeprecationWarning

VALUES = ["Param", "Path", "Query", "Header", "Cookie", "Body", "Form", "File"]
FUNCTIONS = [*VALUES[1:], "Depends", "Security"]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"alias": "x", "gt": 3, "lt": 5.5},
    {"alias": "x", "validation_alias": "y", "serialization_alias": "z", "alias_priority": 1},
    {"alias": "x", "validation_alias": None, "serialization_alias": None},
    {"validation_alias": AliasChoices("a", "b")},
    {"title": "T", "description": "D", "examples": [1], "deprecated": True, "include_in_schema": False},
    {"pattern": re.compile("^a"), "min_length": 1, "max_length": 9},
    {"strict": True, "json_schema_extra": {"k": 1}, "discriminator": "kind", "union_mode": "smart"},
    {"validate_default": True, "fail_fast": True, "multiple_of": 2, "allow_inf_nan": False},
    {"max_digits": 3, "decimal_places": 1, "openapi_examples": {"one": {"value": 1}}},
    {"regex": "^b", "example": None},
]


def _facts(signature: inspect.Signature) -> dict[str, Any]:
    return {
        name: (each.kind, "unset" if type(each.default).__name__ == "DefaultPlaceholder" else each.default)
        for name, each in signature.parameters.items()
    }


@pytest.mark.parametrize("name", [*VALUES, "Depends", "Security"])
def test_a_class_has_fastapis_signature(name: str) -> None:
    """Tools that read signatures (and programs that subclass) see the same parameters."""
    ours, theirs = getattr(params, name), getattr(fastapi.params, name)

    assert _facts(inspect.signature(ours)) == _facts(inspect.signature(theirs))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_fastapis_signature(name: str) -> None:
    """The same for the functions that everybody writes."""
    ours, theirs = getattr(param_functions, name), getattr(fastapi.param_functions, name)

    assert _facts(inspect.signature(ours)) == _facts(inspect.signature(theirs))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
@pytest.mark.parametrize("name", VALUES)
def test_a_value_describes_the_same_field(name: str, options: dict[str, Any]) -> None:
    """Pydantic merges field descriptions by what was set explicitly, so even that has to agree."""
    ours, theirs = getattr(params, name)(**options), getattr(fastapi.params, name)(**options)

    for attribute in FieldInfo.__slots__:
        assert repr(getattr(ours, attribute, None)) == repr(getattr(theirs, attribute, None)), attribute
    for attribute in ("include_in_schema", "openapi_examples", "convert_underscores", "embed", "media_type"):
        assert getattr(ours, attribute, None) == getattr(theirs, attribute, None), attribute


@pytest.mark.parametrize("default", ["text", None, ..., 1, [], dict])
@pytest.mark.parametrize("name", [name for name in VALUES if name != "Path"])
def test_a_value_is_shown_as_fastapi_shows_it(name: str, default: Any) -> None:
    """Signatures in documentation print the default."""
    assert repr(getattr(params, name)(default)) == repr(getattr(fastapi.params, name)(default))


@pytest.mark.parametrize("name", VALUES)
def test_a_value_names_its_place_on_the_class_and_keeps_it_in_copies(name: str) -> None:
    """The engine reads the place from the class, of copies too."""
    marker = getattr(params, name)()

    assert is_value_marker(copy.copy(marker))
    assert type(marker).slot_source == ("query" if name == "Param" else name.lower())


def test_a_subclass_that_says_in_gets_its_place() -> None:
    """Programs derive parameter classes of their own from `Param`."""

    class Trace(params.Param):
        in_ = params.ParamTypes.header

    assert Trace.slot_source == "header"
    assert Trace(alias="x-trace").alias == "x-trace"


def test_files_are_forms_and_forms_are_bodies() -> None:
    """Packages ask with isinstance."""
    assert isinstance(params.File(), params.Form)
    assert isinstance(params.Form(), params.Body)
    assert not isinstance(params.Body(), params.Param)


def test_constraints_reach_pydantic() -> None:
    """A marker is a field description like any other."""
    adapter: TypeAdapter[int] = TypeAdapter(Annotated[int, param_functions.Query(gt=3)])

    assert adapter.validate_python("4") == 4
    with pytest.raises(ValueError, match="greater than 3"):
        adapter.validate_python(3)


def test_a_misspelt_option_is_refused() -> None:
    """Options come as keywords of a dict; nothing may vanish in it."""
    with pytest.raises(TypeError, match=r"Query\(\) got an unexpected keyword argument 'tittle'"):
        param_functions.Query(tittle="x")


def test_a_path_parameter_has_no_default() -> None:
    """It is always there."""
    with pytest.raises(AssertionError, match="cannot have a default"):
        param_functions.Path("x")


@pytest.mark.parametrize("option", ["regex", "example"])
@pytest.mark.parametrize("name", VALUES[1:])
def test_an_old_option_works_and_warns_at_the_users_line(name: str, option: str) -> None:
    """The warning is of use only if it names the line to change."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = getattr(param_functions, name)(**{option: "^a$"})

    assert [each.category for each in caught] == [FastAPIDeprecationWarning]
    assert caught[0].filename == __file__
    assert value.example == "^a$" if option == "example" else "^a$" in repr(value.metadata)


def test_equal_dependencies_are_equal_and_hash_alike() -> None:
    """Tools keep them in sets."""
    assert param_functions.Depends(len) == param_functions.Depends(len)
    assert hash(param_functions.Depends(len)) == hash(param_functions.Depends(len))
    assert hash(param_functions.Depends(len, scope="function")) != hash(param_functions.Depends(len))
    assert param_functions.Security(len, scopes=["a"]) != param_functions.Security(len, scopes=["b"])
    assert isinstance(hash(param_functions.Security(len, scopes=["a"])), int)


def test_dependencies_are_what_the_engine_looks_for() -> None:
    """The engine knows them by shape, not by name."""
    depends, security = params.Depends(len), params.Security(len, scopes=["a", "b"])

    assert is_dependency_marker(depends)
    assert is_dependency_marker(security)
    assert (list(depends.security_scopes), list(security.security_scopes)) == ([], ["a", "b"])
    assert depends.limit is None


@pytest.mark.parametrize("most", [0, -1, True, 1.5, "2"])
def test_a_limit_is_a_positive_integer(most: Any) -> None:
    """A limit of nothing would wait for ever."""
    with pytest.raises(ValueError, match="positive integer"):
        param_functions.Depends(len, max_concurrency=most)


@pytest.mark.anyio
async def test_each_declaration_has_a_limit_of_its_own_and_replace_keeps_it() -> None:
    """Two routes that happen to choose the same number do not share it, and `Annotated` never merges them."""
    first, second = params.Depends(len, max_concurrency=2), params.Depends(len, max_concurrency=2)
    copied = dataclasses.replace(first, dependency=max)
    wider = dataclasses.replace(first, max_concurrency=3)

    assert first != second
    assert first.limit is not None
    assert second.limit is not None
    assert wider.limit is not None
    assert copied.limit is first.limit
    assert first.limit.get_semaphore() is first.limit.get_semaphore()
    assert first.limit.get_semaphore() is not second.limit.get_semaphore()
    assert wider.limit.get_semaphore().value == 3
    assert dataclasses.replace(first, max_concurrency=None).limit is None


def test_a_limit_counts_apart_in_each_event_loop() -> None:
    """A semaphore belongs to the loop that waits on it."""
    limit = params.Depends(len, max_concurrency=1).limit
    assert limit is not None

    async def take() -> Any:
        return limit.get_semaphore()

    assert anyio.run(take) is not anyio.run(take)
