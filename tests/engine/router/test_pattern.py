"""A pattern is read from Starlette's syntax and matches what Starlette's regular expression matches."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from starlette.convertors import CONVERTOR_TYPES, Convertor
from starlette.routing import compile_path

from slipstream._engine.errors import DefinitionError, DuplicatePathParameter, InvalidPath
from slipstream._engine.router.pattern import Parameter, read_pattern


class Slug(Convertor[str]):
    """A registered converter."""

    regex = "[a-z-]+"

    def convert(self, value: str) -> str:
        return value.upper()

    def to_string(self, value: str) -> str:
        return value.lower()


def test_a_path_is_read_into_segments_names_and_converters() -> None:
    """The example of the documentation, with everything in it."""
    pattern = read_pattern("/items/{item_id:int}/x-{name}.{ext}/{rest:path}")

    integer, text, path = (CONVERTOR_TYPES[name] for name in ("int", "str", "path"))
    assert pattern.names == ("item_id", "name", "ext", "rest")
    assert dict(pattern.convertors) == {"item_id": integer, "name": text, "ext": text, "rest": path}
    assert pattern.path_format == "/items/{item_id}/x-{name}.{ext}/{rest}"
    assert pattern.segments == (
        ("items",),
        (Parameter("item_id", integer),),
        ("x-", Parameter("name", text), ".", Parameter("ext", text)),
        (Parameter("rest", path),),
    )
    assert pattern.read("/items/3/x-a.b.c/d/e") == {"item_id": 3, "name": "a.b", "ext": "c", "rest": "d/e"}
    assert pattern.names


@pytest.mark.parametrize(
    ("path", "segments"),
    [("/", ((),)), ("/a/", (("a",), ())), ("//a", ((), ("a",))), ("/{a-b}/{}", (("{a-b}",), ("{}",)))],
)
def test_what_is_no_parameter_is_text(path: str, segments: tuple[Any, ...]) -> None:
    """Slashes count, and braces around anything but a name mean themselves."""
    pattern = read_pattern(path)

    assert pattern.segments == segments
    assert not pattern.names
    assert pattern.read(path) == {}


@pytest.mark.parametrize("path", ["", "items", "{id}"])
def test_a_path_must_start_with_a_slash_unless_a_prefix_will_come(path: str) -> None:
    """`APIRouter(prefix="/x").get("")` is common; without a prefix it matches nothing."""
    assert read_pattern(path, is_relative=True).path == path

    with pytest.raises(InvalidPath, match="Routed paths must start with '/'") as caught:
        read_pattern(path)

    assert isinstance(caught.value, AssertionError)
    assert f"write '/{path}'" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "names", "sentence"),
    [
        ("/{a}/{a:int}", ("a",), "Duplicated param name a at path /{a}/{a:int}"),
        ("/{b}/{a}/{c}/{b}-{a}", ("a", "b"), "Duplicated param names a, b at path /{b}/{a}/{c}/{b}-{a}"),
    ],
)
def test_a_name_used_twice_is_an_error(path: str, names: tuple[str, ...], sentence: str) -> None:
    """A ValueError, with the words that Starlette uses, and ours."""
    with pytest.raises(DuplicatePathParameter, match="Duplicated") as caught:
        read_pattern(path)

    assert caught.value.names == names
    assert sentence in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_an_unknown_converter_is_an_error_that_names_the_known_ones() -> None:
    """Most often it is a misspelt one."""
    with pytest.raises(DefinitionError, match="Unknown path convertor 'integer'") as caught:
        read_pattern("/{a:integer}")

    assert "float, int, path, str, uuid" in str(caught.value)


def test_a_registered_converter_is_found_when_the_path_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered later, even under the same name, does not change a pattern."""
    monkeypatch.setitem(CONVERTOR_TYPES, "slug", Slug())
    pattern = read_pattern("/{s:slug}/{t:slug}-{u:slug}")
    monkeypatch.delitem(CONVERTOR_TYPES, "slug")

    assert pattern.read("/a/b-c-d") == {"s": "A", "t": "B-C", "u": "D"}
    assert pattern.read("/a/b") is None
    assert not pattern.is_ambiguous


def test_a_relative_pattern_reads_relative_paths() -> None:
    """Whether or not it can divide them in several ways."""
    assert read_pattern("", is_relative=True).read("") == {}
    assert read_pattern("", is_relative=True).read("/") is None
    assert read_pattern("x/{a}", is_relative=True).read("x/1") == {"a": "1"}
    assert read_pattern("{a}-{b}/x", is_relative=True).read("1-2-3/x") == {"a": "1-2", "b": "3"}
    assert read_pattern("{a}-{b}/x", is_relative=True).read("/1-2/x") is None


def test_a_text_that_the_converter_refuses_does_not_fit() -> None:
    """`int` refuses more than 4,300 digits: bad input, so no 500."""
    assert read_pattern("/{a:int}").read("/" + "1" * 5000) is None
    assert read_pattern("/{a:int}-{b:int}").read("/1-" + "1" * 5000) is None


def test_patterns_are_compared_by_their_path() -> None:
    """They are data, and may be keys."""
    assert read_pattern("/{a:int}") == read_pattern("/{a:int}")
    assert read_pattern("/{a:int}") != read_pattern("/{a}")
    assert len({read_pattern("/{a}"), read_pattern("/{a}")}) == 1


# Against Starlette's regular expression ---------------------------------------------------------------------------

PIECES = [
    "a",
    "1",
    ".",
    "-",
    "/",
    "/",
    "(",
    "\n",
    "{%}",
    "{%}",
    "{%:path}",
    "{%:path}",
    "{%:int}",
    "{%:float}",
    "{%:uuid}",
]
UUIDS = ["12345678-1234-5678-1234-567812345678", "12345678123456781234567812345678"]


tokens = st.lists(st.sampled_from(["a", "1", "1.5", ".", "-", "/", "/", "(", "\n"]), max_size=5).map("".join)


def name_parameters(text: str) -> str:
    """Name the parameters p0, p1, …"""
    first, *rest = text.split("%")
    return "/" + first + "".join(f"p{index}{part}" for index, part in enumerate(rest))


@settings(max_examples=150, deadline=None)
@given(
    written=st.lists(st.sampled_from(PIECES), max_size=6).map("".join).map(name_parameters),
    paths=st.lists(
        st.tuples(tokens, st.sampled_from(["", "", *UUIDS]), tokens).map("".join).map("/{}".format),
        min_size=10,
        max_size=20,
    ),
)
def test_a_pattern_reads_what_starlettes_regex_does(written: str, paths: list[str]) -> None:
    """Where a path can be divided in several ways, in the same one of them."""
    pattern = read_pattern(written)
    regex, path_format, convertors = compile_path(written)

    assert pattern.path_format == path_format
    assert pattern.regex.pattern == regex.pattern
    for path in paths:
        match = regex.match(path)
        texts = match and {name: convertors[name].convert(text) for name, text in match.groupdict().items()}
        assert pattern.read(path) == texts, path
