"""From an endpoint to the tree of calls, with or without overrides."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from slipstream import Body, Cookie, Depends, Form, Header, Path, Query, Request, Security
from slipstream._engine.errors import DefinitionError
from slipstream._engine.plan.model import Call
from slipstream._engine.plan.tree import build_tree, override_tree
from slipstream._routes.services import IMPLIED


async def leaf(token: str) -> str:
    return token


async def middle(value: Annotated[str, Depends(leaf)]) -> str:
    return value


async def guard() -> None: ...


async def endpoint(
    item_id: int,
    request: Request,
    q: Annotated[str, Query()],
    h: Annotated[str, Header()],
    c: Annotated[str, Cookie()],
    b: Annotated[str, Body()],
    value: Annotated[str, Security(middle, scopes=["read"])],
) -> None: ...


async def fake(name: str = "Alice") -> str:
    return name


def tree(function: Any = endpoint, *dependencies: Any) -> Call:
    return build_tree(function, path="/{item_id}", implied=IMPLIED, dependencies=dependencies)


def names(call: Call) -> list[Any]:
    return [call.origin.name, *(names(inner) for inner in call.dependencies)]


def test_a_tree_has_every_call_below_the_one_that_needs_it() -> None:
    """Dependencies of route and routers come before the endpoint's own, outermost first."""
    assert names(tree(endpoint, Depends(guard))) == ["endpoint", ["guard"], ["middle", ["leaf"]]]


def test_each_parameter_stands_on_the_shelf_of_its_place() -> None:
    """The document and the steps are made from the shelves."""
    root = tree()

    shelves = (root.path_params, root.query_params, root.header_params, root.cookie_params, root.body_params)
    assert [[field.name for field in shelf] for shelf in shelves] == [["item_id"], ["q"], ["h"], ["c"], ["b"]]
    assert list(root.contexts) == [("request", "request")]


def test_a_form_field_stands_with_the_body() -> None:
    """It is read from there."""

    async def form(a: Annotated[str, Form()]) -> None: ...

    assert [field.name for field in tree(form).body_params] == ["a"]


def test_scopes_are_handed_down() -> None:
    """A scheme below must know what was asked for above it."""
    (value,) = tree().dependencies
    (inner,) = value.dependencies

    assert (value.own_scopes, value.oauth_scopes) == (("read",), ("read",))
    assert (inner.own_scopes, inner.oauth_scopes) == ((), ("read",))


def test_a_default_of_a_path_parameter_below_holds_where_the_path_has_no_such_name() -> None:
    """One dependency serves several routes."""

    async def dependency(item_id: int = 3) -> None: ...

    async def other(value: Annotated[None, Depends(dependency)]) -> None: ...

    with_name = build_tree(other, path="/{item_id}", implied=IMPLIED).dependencies[0]
    without = build_tree(other, path="/", implied=IMPLIED).dependencies[0]

    assert [field.required for field in with_name.path_params] == [True]
    assert [field.default for field in without.query_params] == [3]


def test_the_same_callable_may_be_reached_on_two_ways() -> None:
    """That is no circle."""

    async def both(a: Annotated[str, Depends(leaf)], b: Annotated[str, Depends(middle)]) -> None: ...

    assert names(tree(both))[1:] == [["leaf"], ["middle", ["leaf"]]]


def test_without_a_fitting_override_the_tree_itself_comes_back() -> None:
    """Nothing is compiled again for it."""
    root = tree()

    assert override_tree(root, {fake: leaf}, IMPLIED) is root


def test_a_replacement_is_read_anew_and_the_first_tree_is_not_changed() -> None:
    """It has parameters of its own; the application goes back when the test is over."""
    root = tree()

    twin = override_tree(root, {leaf: fake}, IMPLIED)

    replaced = twin.dependencies[0].dependencies[0]
    assert names(twin) == ["endpoint", ["middle", ["fake"]]]
    assert [field.name for field in replaced.query_params] == ["name"]
    assert (replaced.name, replaced.oauth_scopes) == ("value", ("read",))
    assert replaced.replaces is not None
    assert replaced.replaces.call is leaf
    assert names(root) == ["endpoint", ["middle", ["leaf"]]]


def test_what_a_replacement_needs_may_be_replaced_in_turn() -> None:
    """Tests build on each other's stand-ins."""

    async def other() -> str:
        return "other"

    async def needs(value: Annotated[str, Depends(fake)]) -> str:
        return value

    twin = override_tree(tree(), {middle: needs, fake: other}, IMPLIED)

    assert twin.dependencies[0].call is needs
    assert twin.dependencies[0].dependencies[0].call is other


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> int:
        return 1


def test_a_callable_without_hash_cannot_be_overridden_and_does_no_harm() -> None:
    """It can be no key of the dictionary."""

    async def function(value: Annotated[int, Depends(Unhashable())]) -> None: ...

    root = tree(function)

    assert override_tree(root, {leaf: fake}, IMPLIED) is root


async def opened() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(("scope", "fits"), [("function", False), ("request", True), (None, True)])
def test_what_outlives_the_response_needs_what_does_too(scope: Any, fits: bool) -> None:
    """A connection that is closed before the one who uses it for clean-up."""

    async def outer(value: Annotated[int, Depends(opened, scope=scope)]) -> AsyncIterator[int]:
        yield value

    async def function(value: Annotated[int, Depends(outer)]) -> None: ...

    if fits:
        assert len(tree(function).dependencies) == 1
    else:
        with pytest.raises(DefinitionError, match="cannot depend on"):
            tree(function)


def test_an_unmarked_path_parameter_is_required_in_the_tree() -> None:
    """Its default is meant for another route."""

    async def function(item_id: Annotated[int, Path()]) -> None: ...

    assert tree(function).path_params[0].required
