"""Handshakes of WebSockets: what is read of them, and what is agreed on."""

import pytest

from slipstream._sockets.deflate import Terms
from slipstream.server.handshake import acceptance, agree, read_opening
from slipstream.server.head import Refusal

KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
VERSION = (b"sec-websocket-version", b"13")
ORIGIN = (b"origin", b"https://a.example")


def test_the_example_of_the_rfc_gets_its_answer() -> None:
    """RFC 6455, section 1.3."""
    written = acceptance(KEY[1], "chat", "permessage-deflate", [(b"x", b"y")])

    assert written.split(b"\r\n") == [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"Sec-WebSocket-Protocol: chat",
        b"Sec-WebSocket-Extensions: permessage-deflate",
        b"x: y",
        b"",
        b"",
    ]


@pytest.mark.parametrize(("name", "value"), [(b"x\r\n", b"y"), (b"", b"y"), (b"x", b"y\r\nz: 1")])
def test_a_header_that_cannot_be_written_is_an_error(name: bytes, value: bytes) -> None:
    """Or an application that passes on what it was sent lets clients write headers."""
    with pytest.raises(RuntimeError, match="Invalid HTTP header"):
        acceptance(KEY[1], None, "", [(name, value)])


def test_subprotocols_may_come_in_several_lines() -> None:
    """RFC 6455, section 11.3.4."""
    lines = [(b"sec-websocket-protocol", b"a, b"), (b"sec-websocket-protocol", b"c")]

    assert read_opening([KEY, VERSION, *lines], ()).subprotocols == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([KEY], 400),
        ([VERSION], 400),
        ([KEY, (b"sec-websocket-version", b"8")], 426),
        ([KEY, KEY, VERSION], 400),
        ([KEY, VERSION, VERSION], 400),
        ([(b"sec-websocket-key", b"AAAA"), VERSION], 400),
        ([(b"sec-websocket-key", b"not base64, and of a length"), VERSION], 400),
        ([(b"sec-websocket-key", b"A" * 22 + b"\xff="), VERSION], 400),
        ([KEY, VERSION, (b"origin", b"https://b.example")], 403),
        ([KEY, VERSION, ORIGIN, ORIGIN], 400),
    ],
)
def test_what_is_no_handshake_is_refused(headers: list[tuple[bytes, bytes]], status: int) -> None:
    """RFC 6455, sections 4.2.1 and 4.2.2; 4.4 has the header that goes with a 426."""
    with pytest.raises(Refusal) as refused:
        read_opening(headers, ["https://a.example"])

    assert refused.value.status == status
    if status == 426:
        assert VERSION in refused.value.headers


@pytest.mark.parametrize("headers", [[], [ORIGIN]])
def test_a_known_origin_may_come_and_whoever_is_no_page(headers: list[tuple[bytes, bytes]]) -> None:
    """Programs send no Origin, and could send any."""
    assert read_opening([KEY, VERSION, *headers], ["https://a.example"]).key == KEY[1]


SAID = "permessage-deflate; "


@pytest.mark.parametrize(
    ("offers", "agreed"),
    [
        ("permessage-deflate", (Terms(False, False, 12, 15), SAID + "server_max_window_bits=12")),
        (
            "permessage-deflate; client_max_window_bits",
            (Terms(False, False, 12, 12), SAID + "server_max_window_bits=12; client_max_window_bits=12"),
        ),
        (
            'permessage-deflate; client_max_window_bits="8"; server_max_window_bits=15',
            (Terms(False, False, 12, 8), SAID + "server_max_window_bits=12; client_max_window_bits=8"),
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
            (
                Terms(True, True, 9, 15),
                SAID + "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
            ),
        ),
        (
            "x-other, permessage-deflate; server_max_window_bits=8, permessage-deflate",
            (Terms(False, False, 12, 15), SAID + "server_max_window_bits=12"),
        ),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=09", None),
        ("permessage-deflate; server_max_window_bits=" + "9" * 10_000, None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        ("permessage-deflate; other", None),
        ("permessage-bzip2", None),
        ("\xff", None),
    ],
)
def test_the_first_offer_that_can_be_met_is_agreed_on(offers: str, agreed: tuple[Terms, str] | None) -> None:
    """RFC 7692, sections 5.1 and 7.1; what cannot be met is declined, which is no fault of the handshake."""
    assert agree(offers.encode("latin-1")) == agreed
