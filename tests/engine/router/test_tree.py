"""The tree answers with the pattern registered first among those that fit, however it finds it."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from starlette.convertors import CONVERTOR_TYPES, Convertor
from starlette.routing import compile_path

from slipstream._engine.router.pattern import read_pattern
from slipstream._engine.router.tree import Entry, Tree


def tree_of(*paths: str) -> Tree:
    """Make a tree of patterns, ranked as given, each leading to its own text."""
    return Tree(Entry(read_pattern(path, is_relative=True), rank, path) for rank, path in enumerate(paths))


def scan(paths: tuple[str, ...], path: str) -> list[tuple[str, dict[str, Any]]]:
    """Compare a path with every pattern in order, by Starlette's own regular expressions."""
    found = []
    for pattern in paths:
        regex, _, convertors = compile_path(pattern)
        match = regex.match(path)
        if match:
            found.append((pattern, {name: convertors[name].convert(text) for name, text in match.groupdict().items()}))
    return found


# Little is drawn from, so that patterns collide often; every short path is then asked.

SEGMENTS = [
    "a",
    "b",
    "1",
    "",
    "{%}",
    "{%}",
    "{%:int}",
    "{%:float}",
    "{%:path}",
    "{%}.{%}",
    "a{%}",
    "{%:path}a",
    "{%}{%}",
]
PARTS = ["a", "b", "1", "1.5", "a.b", ""]
SHORT_PATHS = ["/" + "/".join(parts) for length in (1, 2, 3) for parts in product(PARTS, repeat=length)]


def name_parameters(segments: list[str]) -> str:
    """Join segments to a path, naming its parameters p0, p1, …"""
    first, *rest = ("/" + "/".join(segments)).split("%")
    return first + "".join(f"p{index}{text}" for index, text in enumerate(rest))


written_paths = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3).map(name_parameters)


@settings(max_examples=150, deadline=None)
@given(paths=st.lists(written_paths, max_size=7).map(tuple))
def test_every_short_path_is_answered_as_a_scan_in_order_would(paths: tuple[str, ...]) -> None:
    """No shortcut may overtake a pattern that was registered earlier."""
    tree = tree_of(*paths)

    for path in SHORT_PATHS:
        expected = scan(paths, path)
        assert tree.find(path) == (expected[0] if expected else None), path
        assert [(leaf.value, params) for leaf, params in tree.candidates(path)] == expected, path


@settings(max_examples=150, deadline=None)
@given(
    paths=st.lists(written_paths | st.sampled_from(["/a\n", "/{p0}\n", "/a\nb", "/{p0}\n{p1}"]), max_size=5).map(tuple),
    path=st.lists(st.sampled_from([*PARTS, "\n"]), min_size=1, max_size=4).map(lambda parts: "/" + "".join(parts)),
)
def test_newlines_are_taken_as_regular_expressions_take_them(paths: tuple[str, ...], path: str) -> None:
    """`$` matches before a last newline and `.` matches none: a decoded %0A must not find another route."""
    tree = tree_of(*paths)

    for asked in (path, path + "\n", path + "\n\n"):
        assert tree.find(asked) == next(iter(scan(paths, asked)), None), asked


@pytest.mark.parametrize(
    ("paths", "path", "first"),
    [
        (("/items/{id}", "/items/test"), "/items/test", 0),
        (("/items/test", "/items/{id}"), "/items/test", 0),
        (("/items/test", "/items/{id}"), "/items/other", 1),
        (("/{a:int}", "/{b}"), "/5", 0),
        (("/{a:int}", "/{b}"), "/x", 1),
        (("/{b}", "/{a:int}"), "/5", 0),
        (("/{a}/me", "/users/{id}"), "/users/me", 0),
        (("/{a}/me", "/users/{id}"), "/users/you", 1),
        (("/{p:path}", "/a/b"), "/a/b", 0),
        (("/a/b", "/{p:path}"), "/a/b/", 1),
        (("/a/{p:path}/z", "/a/{p:path}"), "/a/b/c/z", 0),
        (("/a/{p:path}/z", "/a/{p:path}"), "/a/b/c", 1),
        (("/a/x/{d}", "/{a}/{b}"), "/a/x", 1),
    ],
)
def test_first_registered_wins(paths: tuple[str, ...], path: str, first: int) -> None:
    """The rule that FastAPI's documentation teaches with `/users/me`."""
    found = tree_of(*paths).find(path)

    assert found is not None
    assert found[0] == paths[first]


@pytest.mark.parametrize("path", ["/items", "/items/", "/items//", "/items/a/b", "//a", "items/a", "", "/"])
def test_a_parameter_takes_one_whole_segment_and_never_an_empty_one(path: str) -> None:
    """A missing id is a 404, not an empty string."""
    assert tree_of("/items/{id}").find(path) is None
    assert tree_of("/items/{id}", "/x/{y}/{z}").find(path) is None


def test_a_path_that_lacks_the_leading_slash_fits_no_rooted_pattern() -> None:
    """Servers pass `*` for `OPTIONS *`."""
    tree = tree_of("/{p}", "/{p}/x", "/{p:path}")

    assert tree.find("*") is None
    assert tree.find("a/x") is None


def test_relative_patterns_fit_only_relative_paths() -> None:
    """A router's `""` must not catch other paths, nor may what is declared without a slash."""
    tree = tree_of("", "items/{id}", "/{p}", "{a}.{b}")

    assert tree.find("") == ("", {})
    assert tree.find("items/5") == ("items/{id}", {"id": "5"})
    assert tree.find("/zzz") == ("/{p}", {"p": "zzz"})
    assert tree.find("x.y") == ("{a}.{b}", {"a": "x", "b": "y"})
    assert tree.find("zzz") is None


def test_a_relative_pattern_that_takes_every_path_comes_first_if_it_was_registered_first() -> None:
    """`{p:path}` without a slash is a catch-all too."""
    tree = tree_of("{p:path}", "/a/{x}", "/a")

    assert tree.find("/a/b") == ("{p:path}", {"p": "/a/b"})
    assert tree.find("/a") == ("{p:path}", {"p": "/a"})


def test_a_converter_that_refuses_a_text_leaves_it_to_later_patterns() -> None:
    """`int` raises ValueError beyond 4,300 digits; that is a path that does not fit, not an error of the server."""
    digits = "9" * 5000

    assert tree_of("/{a:int}").find(f"/{digits}") is None
    assert tree_of("/{a:int}", "/{b}").find(f"/{digits}") == ("/{b}", {"b": digits})
    assert tree_of("/x-{a:int}", "/{b}").find(f"/x-{digits}") == ("/{b}", {"b": f"x-{digits}"})


def test_a_foreign_converter_may_hold_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of a registered converter but its regular expression."""

    class Pair(Convertor[tuple[str, ...]]):
        regex = "[a-z]+/[a-z]+"

        def convert(self, value: str) -> tuple[str, ...]:
            return tuple(value.split("/"))

        def to_string(self, value: tuple[str, ...]) -> str:
            return "/".join(value)

    monkeypatch.setitem(CONVERTOR_TYPES, "pair", Pair())

    tree = tree_of("/of/{p:pair}/end", "/of/{q}")

    assert tree.find("/of/a/b/end") == ("/of/{p:pair}/end", {"p": ("a", "b")})
    assert tree.find("/of/a") == ("/of/{q}", {"q": "a"})
    assert tree.find("/of/a/b") is None


def test_parameters_are_a_new_dict_each_time() -> None:
    """Applications write into `scope["path_params"]`."""
    tree = tree_of("/a", "/b/{x}")

    for path in ("/a", "/b/1"):
        first, second = tree.find(path), tree.find(path)
        assert first is not None
        assert second is not None
        assert first[1] is not second[1]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/{a}/{b}/{c}", "/x" * 10_000),
        ("/{a:path}/-/{b:path}/y", "/-" * 10_000 + "/z"),
        ("/{a:path}/x/{b:path}/x/{c:path}/y", "/x" * 10_000),
        ("/{a}-{b}-{c}.x", "/" + "-" * 20_000),
        ("/{a}.{b}/{c}.{d}/x", "/" + "." * 10_000 + "/" + "." * 10_000 + "\n"),
        ("/{a}.{b}/{c}.{d}/x", "/" + "." * 10_000 + "/" + "." * 10_000 + "/y"),
    ],
)
def test_hostile_paths_cost_no_more_than_their_length(pattern: str, path: str) -> None:
    """A backtracking scan takes from seconds to years for these; the test's own time-out would tell."""
    assert tree_of(pattern).find(path) is None


def test_branching_patterns_visit_each_node_once() -> None:
    """Literal or parameter at each of eight levels: 256 patterns, all of which fit one path."""
    paths = [name_parameters(list(segments)) for segments in product(["a", "{%}"], repeat=8)]
    tree = tree_of(*reversed(paths))

    found = tree.find("/a" * 8)

    assert found is not None
    assert found[0] == paths[-1]
    assert len(list(tree.candidates("/a" * 8))) == 256
