"""Heads of responses, as bytes."""

from typing import Any

import pytest

from slipstream.server.framing import Head, chunk, head, short_answer

KEPT: dict[str, Any] = {"method": "GET", "version": "1.1", "keep_alive": True}


@pytest.mark.parametrize(
    ("status", "headers", "asked", "lines", "rest"),
    [
        (200, [(b"Content-Length", b"3")], {}, [b"content-length: 3"], (False, 3, True)),
        (200, [], {}, [b"transfer-encoding: chunked"], (True, None, True)),
        (200, [(b"transfer-encoding", b"chunked")], {}, [b"transfer-encoding: chunked"], (True, None, True)),
        (200, [], {"version": "1.0"}, [b"connection: close"], (False, None, False)),
        (200, [(b"content-length", b"3")], {"version": "1.0"}, [b"content-length: 3", b"connection: keep-alive"],
         (False, 3, True)),
        (200, [(b"connection", b"x, Close")], {}, [b"connection: x, Close", b"transfer-encoding: chunked"],
         (True, None, False)),
        (200, [], {"keep_alive": False}, [b"transfer-encoding: chunked", b"connection: close"], (True, None, False)),
        (200, [(b"content-length", b"3")], {"method": "HEAD"}, [b"content-length: 3"], (False, 0, True)),
        (204, [(b"content-length", b"4")], {}, [], (False, 0, True)),
        (304, [(b"content-length", b"4")], {}, [b"content-length: 4"], (False, 0, True)),
        (200, [(b"content-length", b"3"), (b"content-length", b"4")], {}, [b"content-length: 3"], (False, 3, True)),
        (299, [(b"content-length", b"0")], {}, [b"content-length: 0"], (False, 0, True)),
    ],
)  # fmt: skip
def test_a_head_says_where_the_response_ends(
    status: int, headers: Any, asked: Any, lines: list[bytes], rest: tuple[Any, ...]
) -> None:
    """In one way only (RFC 9112, 6.3)."""
    found = head(status, headers, [(b"date", b"now")], **{**KEPT, **asked})

    assert found.written.split(b"\r\n")[1:-2] == [b"date: now", *lines]
    assert found[1:] == rest


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (199, [], "Status 199"),
        (600, [], "Status 600"),
        (200, [(b"a b", b"c")], "header name"),
        (200, [(b"", b"c")], "header name"),
        (200, [(b"a:", b"c")], "header name"),
        (200, [(b"a\xff", b"c")], "header name"),
        (200, [(b"a", b"b\r\nc: d")], "header value"),
        (200, [(b"a", b"b\nc")], "header value"),
        (200, [(b"a", b"\0")], "header value"),
        (200, [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")], "Both"),
    ],
)
def test_what_cannot_be_written_is_an_error(status: int, headers: Any, words: str) -> None:
    """Splitting responses begins with a header that is two (CVE-2020-7695)."""
    with pytest.raises(RuntimeError, match=words):
        head(status, headers, [], **KEPT)


def test_a_chunk_has_its_size_before_it() -> None:
    """An empty one would be the last."""
    assert chunk(b"x" * 26, is_last=False) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert chunk(b"", is_last=False) == b""
    assert chunk(b"a", is_last=True) == b"1\r\na\r\n0\r\n\r\n"
    assert chunk(b"", is_last=True) == b"0\r\n\r\n"


def test_an_answer_of_the_servers_own_is_whole() -> None:
    """With the usual headers, but for those that frame it."""
    assert short_answer(400, [(b"date", b"now"), (b"connection", b"x")], "No.") == (
        b"HTTP/1.1 400 Bad Request\r\ndate: now\r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"content-length: 3\r\nconnection: close\r\n\r\nNo."
    )
    assert isinstance(head(200, [], [], **KEPT), Head)
