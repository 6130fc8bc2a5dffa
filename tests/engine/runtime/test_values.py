"""Query string, headers, cookies: the fast readers answer as Starlette's do."""

from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request

from slipstream._engine.runtime.values import UNSET, find_header, read_cookies, read_headers, read_query

queries = st.binary(max_size=40) | st.lists(
    st.sampled_from([b"a", b"b", b"=", b"&", b"%41", b"+", b"%", b";", b"\xe4", b"%zz", b"%C3%A4", b"#"]), max_size=12
).map(b"".join)

names = st.sampled_from([b"x-token", b"x-limit", b"cookie", b"accept"])
headers = st.lists(st.tuples(names, st.binary(max_size=6)), max_size=6)


@given(queries)
@example(b"")
@example(b"a")
@example(b"&&a=1&a=2&=3")
@example(b"a=1&b")
@example(b"\xff=\xfe")
def test_a_query_string_is_read_as_starlette_reads_it(raw: bytes) -> None:
    """Whatever bytes a client sends: the short way must not be a different way."""
    theirs = QueryParams(raw)

    ours = read_query(raw)

    assert ours == dict(theirs)


@given(headers)
def test_headers_are_read_as_starlette_reads_them(raw: list[tuple[bytes, bytes]]) -> None:
    """Of a repeated name the first counts, in the dictionary and in the search for one."""
    scope: Any = {"type": "http", "headers": raw}
    theirs = Headers(scope=scope)

    ours = read_headers(scope)

    assert {name.decode("latin-1"): value.decode("latin-1") for name, value in ours.items()} == dict(theirs)
    for name in (b"x-token", b"cookie"):
        found = find_header(scope, name)
        assert (None if found is None else found.decode("latin-1")) == theirs.get(name.decode())


@given(st.lists(st.text('ab=; "\\,é', max_size=12).map(lambda text: text.encode("latin-1")), max_size=3))
@example([b"a=1; b=2", b"a=3"])
def test_cookies_are_read_as_starlette_reads_them(values: list[bytes]) -> None:
    """Several Cookie headers may come (HTTP/2 allows it); each is read."""
    scope: Any = {"type": "http", "headers": [(b"cookie", value) for value in values]}

    assert read_cookies(scope) == Request(scope).cookies


def test_unset_is_false_and_says_what_it_is() -> None:
    """It shows up in debuggers, where None would be a value."""
    assert not UNSET
    assert repr(UNSET) == "UNSET"


@pytest.mark.parametrize("raw", [b"a=%41", b"a=1+2", b"a%20b=1"])
def test_escapes_are_decoded(raw: bytes) -> None:
    """Both ways are compared above; this one says which result is meant."""
    assert read_query(raw) in ({"a": "A"}, {"a": "1 2"}, {"a b": "1"})
