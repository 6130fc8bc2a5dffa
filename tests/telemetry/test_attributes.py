"""What is read from a scope, for any scope that a server may hand over."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, strategies as st

from slipstream.telemetry._attributes import (
    REDACTED,
    host_attributes,
    http_attributes,
    method_of,
    redacted_query,
    type_of,
    websocket_attributes,
)


def scope(**more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/items/3",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", b"shop.example:8000")],
        **more,
    }


def test_a_request_is_described_in_the_words_of_the_conventions() -> None:
    """Dashboards look for these names."""
    found = http_attributes(scope(query_string=b"q=1&sig=secret"))

    assert found == {
        "server.address": "shop.example",
        "server.port": 8000,
        "url.path": "/items/3",
        "url.query": "q=1&sig=REDACTED",
        "url.scheme": "http",
        "http.request.method": "GET",
        "network.protocol.version": "1.1",
    }


def test_a_method_that_nobody_has_defined_is_other() -> None:
    """A client must not make a metric grow by a time series with each request."""
    found = http_attributes(scope(method="BREW"))

    assert found["http.request.method"] == "_OTHER"
    assert found["http.request.method_original"] == "BREW"
    assert method_of(scope(method="BREW")) == ("_OTHER", "HTTP")


def test_a_websocket_is_described_without_its_path() -> None:
    """Tokens stand in paths and queries of WebSockets, for browsers cannot send headers there."""
    found = websocket_attributes(scope(type="websocket", scheme="wss", headers=[(b"host", b"a.example")]))

    assert found == {
        "server.address": "a.example",
        "server.port": 443,
        "url.scheme": "wss",
        "network.protocol.name": "websocket",
    }


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (("10.0.0.1", 80), {"server.address": "10.0.0.1", "server.port": 80}),
        (("/run/app.sock", None), {"server.address": "/run/app.sock"}),
        (None, {}),
    ],
)
def test_without_a_host_header_the_socket_tells_where_the_server_is(server: Any, expected: dict[str, Any]) -> None:
    """HTTP/1.0 clients and probes send none."""
    found = http_attributes(scope(headers=[], server=server))

    assert {key: value for key, value in found.items() if key.startswith("server.")} == expected


@pytest.mark.parametrize("host", ["", "a/b", "user:pw@a", "a:b", "a:99999", "[::1", "a:1:2", ":80", "a b", "a?b", "[]"])
def test_a_host_that_cannot_be_read_says_nothing(host: str) -> None:
    """A wrong address is worse than none; credentials must not be recorded."""
    assert host_attributes(host, "http") == {}


@given(host=st.text(max_size=30), scheme=st.sampled_from(["http", "https", "other"]))
def test_any_host_is_read_without_an_error(host: str, scheme: str) -> None:
    """The header is the client's to choose."""
    found = host_attributes(host, scheme)

    assert 0 <= found.get("server.port", 0) <= 65535


@given(query=st.binary(max_size=60))
def test_any_query_is_read_without_an_error(query: bytes) -> None:
    """So is the query."""
    assert isinstance(redacted_query(query), str)


@given(values=st.lists(st.tuples(st.sampled_from(["sig", "X-Amz-Signature", "q"]), st.text(max_size=8)), max_size=5))
def test_values_that_give_access_are_taken_out(values: list[tuple[str, str]]) -> None:
    """However often they come."""
    query = "&".join(f"{name}={''.join(f'%{byte:02x}' for byte in value.encode())}" for name, value in values)

    found = parse_qsl(redacted_query(query.encode()), keep_blank_values=True)

    assert [name for name, _ in found] == [name for name, _ in values]
    assert all(value == REDACTED for name, value in found if name != "q")


def test_a_query_with_more_fields_than_the_standard_library_reads_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that a security release might set must not become a 500."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise ValueError("Max number of fields exceeded")

    monkeypatch.setattr("slipstream.telemetry._attributes.parse_qsl", refuse)

    assert redacted_query(b"a=1") == ""


def test_an_exception_is_named_with_its_module_unless_it_is_built_in() -> None:
    """Two packages may have a class of one name."""

    class Local(Exception):
        pass

    assert type_of(ValueError()) == "ValueError"
    assert type_of(Local()).endswith("test_attributes." + Local.__qualname__)
