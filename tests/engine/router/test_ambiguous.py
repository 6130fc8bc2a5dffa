"""Dividing a path among parameters takes linear time and decides as a greedy regular expression does."""

import re

import pytest
from hypothesis import example, given, settings, strategies as st
from starlette.convertors import CONVERTOR_TYPES

from slipstream._engine.router.ambiguous import divide

STR, PATH, INT, FLOAT, UUID = (CONVERTOR_TYPES[name].regex for name in ("str", "path", "int", "float", "uuid"))
UUIDS = ["12345678-1234-5678-1234-567812345678", "12345678123456781234567812345678"]

parameters = st.sampled_from([STR, PATH, INT, FLOAT, UUID]).map(lambda regex: ("p", regex))
texts = st.sampled_from(["", "a", "1", ".", "-", "/", "1.", "\n"]).map(lambda text: (None, text))
pieces = st.lists(parameters | texts, max_size=6)
tokens = st.lists(st.sampled_from(["a", "1", "2", ".", "-", "/", "\n"]), max_size=5).map("".join)
paths = st.tuples(tokens, st.sampled_from(["", "", *UUIDS]), tokens).map("".join)  # short: the oracle backtracks


@settings(max_examples=300, deadline=None)
@given(pieces=pieces, paths=st.lists(paths, min_size=5, max_size=20))
@example(pieces=[("a", FLOAT), ("b", PATH), (None, "5")], paths=["1.5", "1.", "1.55", "12.5\n"])
@example(pieces=[("a", UUID), ("b", INT)], paths=[UUIDS[0] + "1", UUIDS[1] + "1", "1" + UUIDS[1]])
@example(pieces=[("a", PATH), ("b", PATH)], paths=["", "\n", "a\n", "a\na"])
def test_texts_are_those_of_a_greedy_regular_expression(pieces: list[tuple[str | None, str]], paths: list[str]) -> None:
    """Which parameter takes how much must not depend on how it is found out."""
    groups = [index for index, (name, _) in enumerate(pieces) if name is not None]
    source = "".join(
        re.escape(piece) if name is None else f"(?P<g{index}>{piece})" for index, (name, piece) in enumerate(pieces)
    )

    for path in paths:
        found = re.match(f"^{source}$", path)
        assert divide(pieces, path) == (found and [found[f"g{index}"] for index in groups]), path


@pytest.mark.parametrize("regex", [STR, PATH, INT, FLOAT])
@pytest.mark.parametrize("between", ["", "-", "/", "1"])
def test_twenty_thousand_characters_are_no_matter(regex: str, between: str) -> None:
    """As a regular expression, four open parameters would take some 10**16 steps; the test's time-out would tell."""
    pieces: list[tuple[str | None, str]] = [(None, "/")]
    for name in "abcd":
        pieces += [(name, regex), (None, between)]

    for unit in ("1", "1-", "/1", "1.", "-"):
        assert divide([*pieces, (None, "!")], "/" + unit * (20_000 // len(unit))) is None
