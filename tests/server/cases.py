"""Requests as bytes, and what becomes of them: statuses of the answers, and of the connection.

Each is sent as it is, and cut in two at every byte, which must make no difference. A fate of "closed" comes after
everything was read, "shut" where more may come: the server then drops it for a while.
"""

from typing import Final, NamedTuple


class Case(NamedTuple):
    """What is sent, and what comes of it."""

    sent: bytes
    statuses: list[int]
    fate: str
    paragraph: str
    """Of RFC 9112 or 9110 (`#`), or the limit, that says so."""
    methods: tuple[str, ...] = ()


def _line(line: str, *headers: str, host: str | None = "a", body: str = "") -> bytes:
    lines = [line, *([f"Host: {host}"] if host is not None else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def get(*headers: str, target: str = "/", version: str = "1.1", host: str | None = "a", method: str = "GET") -> bytes:
    """Write a request without body."""
    return _line(f"{method} {target} HTTP/{version}", *headers, host=host)


def post(*headers: str, body: str = "", version: str = "1.1", target: str = "/echo") -> bytes:
    """Write a request with a body."""
    return _line(f"POST {target} HTTP/{version}", *headers, body=body)


CHUNKED = "Transfer-Encoding: chunked"
OK = get()
CLOSE = get("Connection: close")

CASES: Final[dict[str, Case]] = {
    # --- messages one after the other
    "one": Case(OK, [200], "open", "9.3"),
    "two": Case(OK * 2, [200, 200], "open", "9.3.2"),
    "seven": Case(OK * 7, [200] * 7, "open", "9.3.2"),
    "close": Case(CLOSE, [200], "closed", "9.6"),
    "close in a list": Case(get("Connection: x, Close"), [200], "closed", "9.6"),
    "nothing after close": Case(CLOSE + OK, [200], "shut", "9.6"),
    "garbage after close": Case(CLOSE + b"\x00\x01\x02", [200], "shut", "9.6"),
    "two, then close": Case(OK + CLOSE, [200, 200], "closed", "9.6"),
    "keep-alive, said": Case(get("Connection: keep-alive"), [200], "open", "9.3"),
    "empty lines before": Case(b"\r\n\r\n" + OK, [200], "open", "2.2"),
    "empty lines between": Case(OK + b"\r\n" + OK, [200, 200], "open", "2.2"),
    "1.0": Case(get(version="1.0"), [200], "closed", "9.3"),
    "1.0 without a host": Case(get(version="1.0", host=None), [200], "closed", "3.2"),
    "1.0 that is kept": Case(get("Connection: keep-alive", version="1.0") * 2, [200, 200], "open", "9.3"),
    "1.0, post": Case(post("Content-Length: 3", body="abc", version="1.0"), [200], "closed", "9.3"),
    "1.0, post without a host": Case(b"POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", [200], "closed", "3.2"),
    "1.0, chunks without a host": Case(
        b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400], "shut", "6.1"
    ),
    "a fault after requests": Case(OK * 2 + b"GET\r\n\r\n", [200, 200, 400], "shut", "9.3.2"),
    "after a 404": Case(get(target="/none") + OK, [404, 200], "open", "9.3"),
    "after a 500": Case(get(target="/fails") + OK, [500, 200], "open", "9.3"),
    "after a 422": Case(get(target="/items/x") + OK, [422, 200], "open", "9.3"),
    "head": Case(get(method="HEAD", target="/any") + OK, [200, 200], "open", "#9.3.2", ("HEAD",)),
    "204": Case(get(target="/nothing") + OK, [204, 200], "open", "6.3"),
    "304": Case(get(target="/unchanged") + OK, [304, 200], "open", "6.3"),
    "stream": Case(get(target="/stream") + OK, [200, 200], "open", "7.1"),
    "stream, 1.0": Case(get(target="/stream", version="1.0"), [200], "closed", "6.3"),
    "stream, 1.0 kept": Case(get("Connection: keep-alive", target="/stream", version="1.0"), [200], "closed", "6.3"),
    "options of the server": Case(get(method="OPTIONS", target="*"), [404], "open", "3.2.4"),
    # --- bodies
    "length": Case(post("Content-Length: 3", body="abc") + OK, [200, 200], "open", "6.2"),
    "length 0": Case(post("Content-Length: 0") + OK, [200, 200], "open", "6.2"),
    "no length": Case(post() + OK, [200, 200], "open", "6.3"),
    "length with zeros": Case(post("Content-Length: 003", body="abc") + OK, [200, 200], "open", "6.2"),
    "chunks": Case(post(CHUNKED, body="3\r\nabc\r\n0\r\n\r\n") + OK, [200, 200], "open", "7.1"),
    "chunks, capital": Case(post("transfer-encoding: CHUNKED", body="0\r\n\r\n") + OK, [200, 200], "open", "7"),
    "chunk with an extension": Case(post(CHUNKED, body="3;a=b\r\nabc\r\n0\r\n\r\n") + OK, [200, 200], "open", "7.1.1"),
    "trailer": Case(post(CHUNKED, body="3\r\nabc\r\n0\r\nX: 1\r\nY: 2\r\n\r\n") + OK, [200, 200], "open", "7.1.2"),
    "trailer that would frame": Case(post(CHUNKED, body="0\r\nContent-Length: 9\r\n\r\n") + OK, [400], "shut", "6.5.1"),
    "get with a body": Case(get("Content-Length: 3") + b"abc" + OK, [200, 200], "open", "#9.3.1"),
    "body that nobody reads": Case(
        post("Content-Length: 3", body="abc", target="/none") + OK, [404, 200], "open", "9.3"
    ),
    "expect, with the body": Case(
        post("Content-Length: 3", "Expect: 100-continue", body="abc"), [200], "open", "#10.1.1"
    ),
    "expect, nobody reads": Case(
        post("Content-Length: 3", "Expect: 100-continue", target="/none"), [404], "shut", "#10.1.1"
    ),
    "expect, 1.0": Case(
        post("Content-Length: 3", "Expect: 100-continue", body="abc", version="1.0"), [200], "closed", "#10.1.1"
    ),
    "expect something else": Case(post("Content-Length: 3", "Expect: tea", body="abc"), [417], "shut", "#10.1.1"),
    # --- framing that is refused
    "two lengths": Case(post("Content-Length: 3", "Content-Length: 4", body="abc"), [400], "shut", "6.3"),
    "a length twice": Case(post("Content-Length: 3", "Content-Length: 3", body="abc"), [400], "shut", "6.3"),
    "a list of lengths": Case(post("Content-Length: 3, 3", body="abc"), [400], "shut", "6.3"),
    "length and chunks": Case(post("Content-Length: 3", CHUNKED, body="0\r\n\r\n"), [400], "shut", "6.3"),
    "chunks and length": Case(post(CHUNKED, "Content-Length: 3", body="0\r\n\r\n"), [400], "shut", "6.3"),
    "negative length": Case(post("Content-Length: -1"), [400], "shut", "6.2"),
    "signed length": Case(post("Content-Length: +3", body="abc"), [400], "shut", "6.2"),
    "hexadecimal length": Case(post("Content-Length: 0x3", body="abc"), [400], "shut", "6.2"),
    "length with a fraction": Case(post("Content-Length: 3.0", body="abc"), [400], "shut", "6.2"),
    "length with a space": Case(post("Content-Length: 1 1", body="abc"), [400], "shut", "6.2"),
    "length with an underscore": Case(post("Content-Length: 1_1", body="abc"), [400], "shut", "6.2"),
    "empty length": Case(post("Content-Length: "), [400], "shut", "6.2"),
    "enormous length": Case(post("Content-Length: 99999999999999999999999"), [400], "shut", "6.2"),
    "chunks twice": Case(post(CHUNKED, CHUNKED, body="0\r\n\r\n"), [400], "shut", "6.1"),
    "chunks, then gzip": Case(post("Transfer-Encoding: chunked, gzip", body="abc"), [400], "shut", "6.1"),
    "gzip, then chunks": Case(post("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"), [501], "shut", "6.1"),
    "identity": Case(post("Transfer-Encoding: identity", body="abc"), [501], "shut", "6.1"),
    "xchunked": Case(post("Transfer-Encoding: xchunked", body="abc"), [501], "shut", "6.1"),
    "chunked behind a vertical tab": Case(post("Transfer-Encoding: \x0bchunked", body="abc"), [400], "shut", "6.1"),
    "quoted chunked": Case(post('Transfer-Encoding: "chunked"', body="abc"), [501], "shut", "6.1"),
    "empty coding": Case(post("Transfer-Encoding:", body="abc"), [400], "shut", "6.1"),
    "chunks in 1.0": Case(post(CHUNKED, body="0\r\n\r\n", version="1.0"), [400], "shut", "6.1"),
    "chunk size with 0x": Case(post(CHUNKED, body="0x3\r\nabc\r\n0\r\n\r\n"), [400], "shut", "7.1"),
    "chunk size with a sign": Case(post(CHUNKED, body="-3\r\nabc\r\n0\r\n\r\n"), [400], "shut", "7.1"),
    "chunk size with a space": Case(post(CHUNKED, body="3 \r\nabc\r\n0\r\n\r\n"), [400], "shut", "7.1"),
    "chunk size that is none": Case(post(CHUNKED, body="x\r\nabc\r\n0\r\n\r\n"), [400], "shut", "7.1"),
    "empty chunk size": Case(post(CHUNKED, body="\r\nabc\r\n0\r\n\r\n"), [400], "shut", "7.1"),
    "enormous chunk size": Case(post(CHUNKED, body="fffffffffffffffff\r\nabc"), [400], "shut", "7.1"),
    "chunk longer than it says": Case(post(CHUNKED, body="3\r\nabcd\r\n0\r\n\r\n"), [400], "shut", "7.1"),
    "chunk size ended by LF": Case(post(CHUNKED, body="3\nabc\r\n0\r\n\r\n"), [400], "shut", "7.1"),
    "chunk ended by LF": Case(post(CHUNKED, body="3\r\nabc\n0\r\n\r\n"), [400], "shut", "7.1"),
    # --- lines and fields
    "LF": Case(b"GET / HTTP/1.1\nHost: a\n\n", [400], "shut", "2.2"),
    "LF after a field": Case(b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", [400], "shut", "2.2"),
    "LF at the end": Case(b"GET / HTTP/1.1\r\nHost: a\r\n\n", [400], "shut", "2.2"),
    "CR in a field": Case(get("X: a\rb"), [400], "shut", "2.2"),
    "CR in the first line": Case(b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", [400], "shut", "2.2"),
    "space before a colon": Case(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", [400], "shut", "5.1"),
    "tab before a colon": Case(get("X\t: a"), [400], "shut", "5.1"),
    "folded line": Case(get("X: a", " b"), [400], "shut", "5.2"),
    "folded line, tab": Case(get("X: a", "\tb"), [400], "shut", "5.2"),
    "space before the first field": Case(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", [400], "shut", "2.2"),
    "no colon": Case(get("X"), [400], "shut", "5"),
    "no name": Case(get(": x"), [400], "shut", "5"),
    "name with a bracket": Case(get("X(: a"), [400], "shut", "#5.6.2"),
    "name with a slash": Case(get("X/Y: a"), [400], "shut", "#5.6.2"),
    "name that is not ASCII": Case(get("X\xff: a"), [400], "shut", "#5.6.2"),
    "NUL in a name": Case(get("X\0: a"), [400], "shut", "#5.6.2"),
    "NUL in a value": Case(get("X: a\0b"), [400], "shut", "#5.5"),
    "control character in a value": Case(get("X: a\x01b"), [400], "shut", "#5.5"),
    "DEL in a value": Case(get("X: a\x7fb"), [400], "shut", "#5.5"),
    "value that is not ASCII": Case(get("X: a\xffb"), [200], "open", "#5.5"),
    "tab in a value": Case(get("X: a\tb"), [200], "open", "#5.5"),
    "empty value": Case(get("X:"), [200], "open", "5"),
    "no space after the colon": Case(get("X:a"), [200], "open", "5"),
    # --- the first line
    "no version": Case(b"GET /\r\n\r\n", [505], "shut", "2.3"),
    "0.9": Case(get(version="0.9"), [505], "shut", "2.3"),
    "1.2": Case(get(version="1.2"), [505], "shut", "2.3"),
    "2.0": Case(get(version="2.0"), [505], "shut", "2.3"),
    "3.0": Case(get(version="3.0"), [505], "shut", "2.3"),
    "10.1": Case(get(version="10.1"), [400], "shut", "2.3"),
    "HTTP/2's preface": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], "shut", "2.3"),
    "another protocol": Case(b"GET / XTTP/1.1\r\nHost: a\r\n\r\n", [400], "shut", "2.3"),
    "small letters": Case(b"GET / http/1.1\r\nHost: a\r\n\r\n", [400], "shut", "2.3"),
    "TLS": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400], "shut", "3"),
    "only a method": Case(b"GET\r\n\r\n", [400], "shut", "3"),
    "SSH": Case(b"SSH-2.0-OpenSSH_9.6\r\n", [501], "shut", "3"),
    "unknown method": Case(get(method="BREW"), [501], "shut", "#9.1"),
    "method in small letters": Case(get(method="get"), [501], "shut", "#9.1"),
    "space before the method": Case(b" " + OK, [400], "shut", "3"),
    "space after the version": Case(b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", [400], "shut", "3"),
    "space in the target": Case(get(target="/a b"), [400], "shut", "3.2"),
    "tab in the target": Case(get(target="/a\tb"), [400], "shut", "3.2"),
    "control character in the target": Case(get(target="/\x01"), [400], "shut", "3.2"),
    "target that is not ASCII": Case(get(target="/\xfc"), [400], "shut", "3.2"),
    "target without a slash": Case(get(target="abc"), [400], "shut", "3.2"),
    "fragment": Case(get(target="/#a"), [400], "shut", "3.2"),
    "asterisk, GET": Case(get(target="*"), [400], "shut", "3.2.4"),
    "absolute": Case(get(target="http://b/"), [200], "open", "3.2.2"),
    "absolute, no path": Case(get(target="http://b"), [200], "open", "3.2.2"),
    "absolute, query only": Case(get(target="http://b?x"), [200], "open", "3.2.2"),
    "absolute, bad host": Case(get(target="http://b@c/"), [400], "shut", "3.2.2"),
    "absolute, no host": Case(get(target="http:///"), [400], "shut", "3.2.2"),
    "authority": Case(get(method="CONNECT", target="a:80"), [501], "shut", "#9.3.6"),
    "escaped slash": Case(get(target="/%2F"), [404], "open", "3.2.1"),
    "half an escape": Case(get(target="/%"), [404], "open", "3.2.1"),
    "two slashes": Case(get(target="//"), [404], "open", "3.2.1"),
    # --- host
    "no host": Case(get(host=None), [400], "shut", "3.2"),
    "two hosts": Case(get("Host: b"), [400], "shut", "3.2"),
    "the same host twice": Case(get("Host: a"), [400], "shut", "3.2"),
    "empty host": Case(get(host=""), [200], "open", "3.2"),
    "host with a port": Case(get(host="a:8080"), [200], "open", "3.2"),
    "host with a path": Case(get(host="a/b"), [400], "shut", "3.2"),
    "host with a user": Case(get(host="u@a"), [400], "shut", "3.2"),
    "host with a space": Case(get(host="a b"), [400], "shut", "3.2"),
    "host with a comma and more": Case(get(host="a, b"), [400], "shut", "3.2"),
    "host with a question": Case(get(host="a?b"), [400], "shut", "3.2"),
    "host with a backslash": Case(get(host="a\\b"), [400], "shut", "3.2"),
    "host that is not ASCII": Case(get(host="\xe4"), [400], "shut", "3.2"),
    "host with a bad port": Case(get(host="a:b"), [400], "shut", "3.2"),
    "address of IPv6": Case(get(host="[::1]:80"), [200], "open", "3.2"),
    "address of IPv6 without brackets": Case(get(host="::1"), [400], "shut", "3.2"),
    # --- upgrades
    "an upgrade that is not done": Case(get("Connection: Upgrade", "Upgrade: h2c") + OK, [200, 200], "open", "#7.8"),
    "an upgrade with a body": Case(
        post("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 3", body="abc") + OK, [200, 200], "open", "#7.8"
    ),
    "an upgrade with chunks": Case(
        post("Connection: Upgrade", "Upgrade: h2c", CHUNKED, body="3\r\nabc\r\n0\r\n\r\n") + OK,
        [200, 200],
        "open",
        "#7.8",
    ),
    "upgrade without connection": Case(get("Upgrade: websocket"), [200], "open", "#7.8"),
    "websocket where there is none": Case(get("Connection: upgrade", "Upgrade: websocket"), [200], "open", "#7.8"),
}

LONG: Final[dict[str, Case]] = {
    "100 headers": Case(get(*(f"X-{n}: a" for n in range(99))), [200], "open", "limit"),
    "101 headers": Case(get(*(f"X-{n}: a" for n in range(100))), [431], "shut", "limit"),
    "a line of 8 KiB": Case(get("X: " + "a" * 8189), [200], "open", "limit"),
    "a longer line": Case(get("X: " + "a" * 8190), [431], "shut", "limit"),
    "a line of 1 MiB": Case(get("X: " + "a" * 2**20), [431], "shut", "limit"),
    "a target of 8 KiB": Case(get(target="/" + "a" * 8175), [404], "open", "limit"),
    "a longer target": Case(get(target="/" + "a" * 8176), [414], "shut", "limit"),
    "a query of 1 MiB": Case(get(target="/?" + "a" * 2**20), [414], "shut", "limit"),
    "headers of 31 KiB": Case(get(*(f"X-{n}: " + "a" * 1000 for n in range(31))), [200], "open", "limit"),
    "headers of 33 KiB": Case(get(*(f"X-{n}: " + "a" * 1000 for n in range(33))), [431], "shut", "limit"),
    "100,000 headers": Case(get(*(f"X-{n}: a" for n in range(100_000))), [431], "shut", "limit"),
    "a name of 9 KiB": Case(get("X" * 9000 + ": a"), [431], "shut", "limit"),
    "a trailer of 1 MiB": Case(
        post(CHUNKED, body="0\r\n" + "X: 0123456789\r\n" * 70_000 + "\r\n"), [431], "shut", "limit"
    ),
    "body of 1 MiB": Case(post("Content-Length: 1048576", body="x" * 2**20) + OK, [200, 200], "open", "6.2"),
    "chunks of 1 MiB": Case(
        post(CHUNKED, body=("400\r\n" + "x" * 1024 + "\r\n") * 1024 + "0\r\n\r\n") + OK, [200, 200], "open", "7.1"
    ),
    "1,000 requests": Case(OK * 1000, [200] * 1000, "open", "9.3.2"),
    "1,000 requests behind a body": Case(
        post("Content-Length: 3", body="abc") + OK * 1000, [200] * 1001, "open", "9.3.2"
    ),
    "1,000 requests behind chunks": Case(post(CHUNKED, body="0\r\n\r\n") + OK * 1000, [200] * 1001, "open", "9.3.2"),
    "large answers": Case(get(target="/large") * 3, [200] * 3, "open", "9.3.2"),
    "a long body that nobody reads": Case(
        post("Content-Length: 10000000", body="x" * 300_000, target="/none"), [404], "shut", "9.6"
    ),
}  # fmt: skip
"""Cases too long to be cut at every byte."""
