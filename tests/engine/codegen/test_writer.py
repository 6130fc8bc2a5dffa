"""The builder for Python source: what it writes is Python, and no name ever means two things."""

import ast
import builtins
import keyword
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from slipstream._engine.codegen import Writer, literal

texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


def test_blocks_indent_what_is_written_inside() -> None:
    """The one thing a builder must get right."""
    writer = Writer()
    with writer.block("if a:"):
        with writer.block("while b:"):
            writer.line("c()")
        writer.line("d()")
    writer.line("e()")

    assert writer.text == "if a:\n    while b:\n        c()\n    d()\ne()\n"


def test_a_block_without_statements_gets_a_pass() -> None:
    """Comments alone are no body; a step that writes nothing must not break the text."""
    writer = Writer()
    with writer.block("if a:"):
        writer.comment("nothing to do")

    assert ast.parse(writer.text)
    assert writer.text.endswith("    pass\n")


def test_a_function_shares_what_it_assigns_and_is_told_to_share() -> None:
    """Python would make a local of it, and the function around would never see what was assigned."""
    writer = Writer()
    with writer.block("def outer():"):
        writer.line("errors, first, second, third = [], 0, 0, 0")
        with writer.function("def inner():", ["errors", "first", "second", "third", "unknown"]):
            writer.line('errors += ["a = b"]')
            writer.line("(first, own), other = (1, 2), 3")
            writer.line("print(second == 1, third)")
        writer.line("inner()")
        writer.line("return errors, first, second")
    found: dict[str, Any] = {}
    exec(writer.text, found)

    assert writer.text.count("nonlocal") == 1
    assert "        nonlocal errors, first\n" in writer.text
    assert found["outer"]() == (["a = b"], 1, 0)


def test_a_function_that_shares_nothing_says_nothing() -> None:
    """Most do not."""
    writer = Writer()
    with writer.function("def inner():", ["errors"]):
        writer.line("own = 1")

    assert writer.text == "def inner():\n    own = 1\n"


@given(texts)
@example("a\nimport os")
@example("a\rb\x0cc\u2028d")
@example("\\N{DOLLAR SIGN}")
def test_a_comment_never_leaves_its_line(text: str) -> None:
    """Comments carry users' file names and defaults; none of them may become code."""
    writer = Writer()
    writer.comment(text)
    writer.line("x = 1")

    assert ast.dump(ast.parse(writer.text)) == ast.dump(ast.parse("x = 1"))


@given(st.lists(texts, max_size=8), st.frozensets(st.sampled_from(["scope", "send", "errors"])))
def test_no_two_names_are_one_and_none_hides_what_python_or_the_text_uses(
    wishes: list[str], taken: frozenset[str]
) -> None:
    """A user's parameter may be called `scope` or `list`; the text around it relies on those names."""
    writer = Writer(taken)

    names = [writer.local(wish) for wish in wishes]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.isascii() for name in names)
    assert not set(names) & (taken | set(dir(builtins)) | set(keyword.kwlist) | set(keyword.softkwlist))


@pytest.mark.parametrize(
    ("wish", "name"),
    [("limit", "limit"), ("scope", "scope_2"), ("list", "list_2"), ("class", "class_2"), ("match", "match_2"),
     ("größe", "gr__e"), ("3d", "_3d"), ("<lambda>", "_lambda_"), ("", "value")],
)  # fmt: skip
def test_a_name_stays_as_near_to_the_wish_as_can_be(wish: str, name: str) -> None:
    """Readers look for the names that they gave."""
    assert Writer(frozenset({"scope"})).local(wish) == name


def test_a_name_is_free_until_something_has_it() -> None:
    """Whoever has a better second choice than a number asks first."""
    writer = Writer(frozenset({"scope"}))
    before = writer.is_free("user")
    writer.local("user")

    assert before
    assert not any(writer.is_free(name) for name in ("user", "scope", "list", "class"))


def test_one_object_has_one_name_and_equal_objects_have_two() -> None:
    """A name stands for the object: two validators may be equal and differ all the same."""
    writer = Writer()
    first, second = [1], [1]

    names = [writer.constant("check", first), writer.constant("check", second), writer.constant("other", first)]

    assert names == ["check", "check_2", "check"]
    assert writer.constants == {"check": first, "check_2": second}


def test_shapes_forget_comments_and_nothing_else() -> None:
    """Routes whose texts differ in comments alone share one code object."""

    def written(comment: str, line: str, inside: bool) -> str:
        writer = Writer()
        with writer.block("if a:"):
            writer.comment(comment)
            writer.line("b()")
            if inside:
                writer.line(line)
        if not inside:
            writer.line(line)
        return writer.shape

    assert written("one", "c()", True) == written("two", "c()", True)
    assert written("one", "c()", True) != written("one", "d()", True)
    assert written("one", "c()", True) != written("one", "c()", False)


@given(values)
def test_a_literal_is_the_value(value: Any) -> None:
    """Keys and defaults of users go into the text as literals."""
    assert ast.literal_eval(literal(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", '"a"'), ('say "a"', "'say \"a\"'"), ("it's", '"it\'s"'), ("a\nb", '"a\\nb"'), (b"x-token", 'b"x-token"'),
     (("query", 1), '("query", 1)'), (("body",), '("body",)'), (["me", "it's"], '["me", "it\'s"]'), (None, "None")],
)  # fmt: skip
def test_a_literal_has_double_quotes_as_the_text_around_it(value: Any, text: str) -> None:
    """Two ways of quoting in one text look like two meanings."""
    assert literal(value) == text
