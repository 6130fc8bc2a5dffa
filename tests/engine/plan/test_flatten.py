"""What a tree of calls asks for, as flat lists."""

import inspect
from functools import partial, wraps
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, Json
from pydantic.fields import FieldInfo

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import (
    flat_body_params,
    flat_params,
    flatten,
    param_model,
    request_names,
)
from slipstream._engine.plan.model import Call, call_key, security_scheme
from slipstream._engine.signature.model import Origin, Signature
from slipstream.params import Body, Header, Path, Query


class Scheme:
    """Looks like a security scheme."""

    model: Any = None
    scheme_name = "Scheme"

    def __call__(self) -> None: ...


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __call__(self) -> None: ...


class Paging(BaseModel):
    limit: int = 10
    after: str | None = None


def call(function: Any, *dependencies: Call, **attributes: Any) -> Call:
    signature = Signature(function, Origin("f", None, None), (), inspect.Signature.empty, "sync")
    made = Call(signature, "/", **attributes)
    made.dependencies = dependencies
    return made


def field(name: str, info: FieldInfo, annotation: Any = str) -> ModelField:
    info.annotation = annotation
    return ModelField(info, name)


def endpoint() -> None: ...
def one() -> None: ...
def two() -> None: ...


def test_parents_come_before_their_dependencies_and_places_in_order() -> None:
    """Docs pages list parameters in this order."""
    inner = call(two, query_params=[field("c", Query())], path_params=[field("d", Path())])
    middle = call(one, inner, query_params=[field("b", Query())])
    root = call(endpoint, middle, query_params=[field("a", Query())])

    assert [item.name for item in flat_params(root)] == ["d", "a", "b", "c"]


def test_a_shared_dependency_counts_once_but_its_body_at_each_place() -> None:
    """Parameters are listed once; the body's count decides whether it is embedded, by name."""
    shared = [call(one, query_params=[field("q", Query())], body_params=[field("b", Body())]) for _ in range(2)]
    root = call(endpoint, *shared)

    assert [item.name for item in flat_params(root)] == ["q"]
    assert [item.name for item in flat_body_params(root)] == ["b", "b"]


def test_callables_without_hash_are_told_apart_too() -> None:
    """A dependency may be any object with `__call__`."""
    first = Unhashable()
    calls = [call(first), call(first), call(Unhashable())]
    for number, each in enumerate(calls):
        each.query_params = [field(str(number), Query())]

    assert [item.name for item in flat_params(call(endpoint, *calls))] == ["0", "2"]


def test_scopes_reach_every_use_of_a_scheme() -> None:
    """Requirements list the scopes of the whole way from the endpoint to the scheme."""
    scheme = Scheme()
    user = call(one, call(scheme, parent_scopes=("me", "read")), own_scopes=("read",), parent_scopes=("me",))
    uses = flatten(call(endpoint, user)).security

    assert [(use.scheme, use.scopes) for use in uses] == [(scheme, ("me", "read"))]


def test_scopes_tell_calls_apart_only_where_they_can_be_seen() -> None:
    """A plain dependency under two sets of scopes runs once; one that reads the scopes runs for each."""
    blind = [call(one, parent_scopes=scopes) for scopes in (("a",), ("b",))]
    seeing = [call(one, parent_scopes=scopes, contexts=[("s", "scopes")]) for scopes in (("a",), ("b",))]

    assert call_key(blind[0]) == call_key(blind[1])
    assert call_key(seeing[0]) != call_key(seeing[1])
    assert call_key(call(two, seeing[0], parent_scopes=("a",))) != call_key(call(two, seeing[1], parent_scopes=("b",)))


def test_schemes_are_found_through_partials_and_decorators() -> None:
    """People wrap them."""
    scheme = Scheme()

    @wraps(scheme)
    def wrapped() -> None: ...

    assert security_scheme(partial(partial(wrapped))) is scheme
    assert security_scheme(Scheme) is None
    assert security_scheme(endpoint) is None


@pytest.mark.parametrize(
    ("info", "annotation", "model"),
    [
        (Query(), Paging, Paging),
        (Query(), Paging | None, Paging),
        (Query(), Paging | int, None),
        (Query(), list[Paging], None),
        (Path(), Paging | None, None),
    ],
)
def test_parameter_models(info: FieldInfo, annotation: Any, model: Any) -> None:
    """A model in the query, header or cookies stands for its fields, and so does a nullable one."""
    assert param_model(field("page", info, annotation)) is model


def test_json_text_is_no_parameter_model() -> None:
    """It is one string on the wire."""
    json = Query()
    json.metadata = [Json()]

    assert param_model(field("page", json, Paging)) is None


NAMES = [
    (Header(), "x_a", {}, [("x_a", "x-a")]),
    (Header(alias="y_a"), "x_a", {}, [("y_a", "y_a")]),
    (Header(validation_alias=AliasChoices("A_1", "A_2")), "x_a", {}, [("A_1", "A_1"), ("A_2", "A_2")]),
    (Header(validation_alias=AliasChoices("a", AliasPath("b", 0))), "x_a", {}, [("x_a", "x-a")]),
    (Header(validation_alias=AliasPath("b", 0)), "x_a", {}, [("x_a", "x-a")]),
    (Field(alias="z"), "x_a", {"populate_by_name": True}, [("z", "z"), ("x_a", "x-a")]),
    (Field(), "x_a", {"populate_by_name": True}, [("x_a", "x-a")]),
    (Field(alias="z"), "x_a", {"validate_by_alias": False, "validate_by_name": True}, [("x_a", "x-a")]),
    (Path(alias="z"), "x_a", {}, [("z", "z")]),
]


@pytest.mark.parametrize(("info", "name", "config", "names"), NAMES)
def test_names_on_the_wire(info: Any, name: str, config: ConfigDict, names: list[tuple[str, str]]) -> None:
    """Aliases, choices, the model's configuration and the hyphens of headers all have a say."""
    assert request_names(ModelField(info, name, config=config), convert_underscores=True) == names


def test_fields_of_a_parameter_model_are_listed_one_by_one() -> None:
    """The document has no word for a model in the query."""
    root = call(endpoint, query_params=[field("page", Query(), Annotated[Paging, 1].__origin__)])

    assert [item.name for item in flat_params(root)] == ["limit", "after"]
