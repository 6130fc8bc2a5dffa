"""What may be shown of addresses and of a peer's words."""

import logging

import pytest
from hypothesis import given, strategies as st

from slipstream.links.redact import printable, secrets_in, shown_url, unlogged, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://user:pass@h.example:8443/x?token=abc&v=2#f", "wss://h.example:8443/x?token=[hidden]&v=[hidden]"),
        ("https://h.example/bot123456:ABCdefGhIJKlmno/getUpdates", "https://h.example/[hidden]/getUpdates"),
        ("https://h.example/v1/prices", "https://h.example/v1/prices"),
        ("ws://[::1]:9/x", "ws://[::1]:9/x"),
        ("http://h:99999999/", "an unreadable address"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    """Logs and health pages are read by more people than tokens are meant for."""
    assert shown_url(url) == shown


@given(st.text())
def test_a_text_of_unknown_origin_fits_on_one_line(text: str) -> None:
    """A peer writes no lines of its own into our log."""
    shown = printable(text)

    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for sign in shown)
    shown.encode()  # no lone surrogates, which no log can be written with


def test_known_secrets_are_hidden_wherever_they_stand() -> None:
    """Libraries quote addresses and headers in their errors."""
    secrets = [*secrets_in("https://me:hunter22@h/x?key=s3cr3t"), "Bearer abc.def"]

    shown = without_secrets("GET https://me:hunter22@h/x?key=s3cr3t failed: Bearer abc.def\n", secrets)

    assert shown == "GET https://me:[hidden]@h/x?key=[hidden] failed: [hidden]\\x0a"


def test_an_unreadable_address_is_one_secret() -> None:
    """Where its parts cannot be told, all of it is hidden."""
    assert secrets_in("http://[") == ["http://["]


def test_a_login_is_hidden_as_it_is_written_and_as_it_is_meant() -> None:
    """Errors of proxies quote either."""
    secrets = secrets_in("socks5h://me%40home:p%40ss%20word@proxy.example:1080")

    assert without_secrets("p@ss word of me@home, or p%40ss%20word", secrets) == "[hidden] of [hidden], or [hidden]"


def test_the_http_client_is_silent_about_our_requests_and_no_others(caplog: pytest.LogCaptureFixture) -> None:
    """It logs whole addresses, and at DEBUG the logins of proxies; a program's own requests are its own matter."""
    caplog.set_level(logging.DEBUG)

    with unlogged():
        logging.getLogger("httpx2").info("GET https://h.example/bot-token")
        logging.getLogger("httpcore2.socks").debug("auth")
        logging.getLogger("slipstream.links").info("ours")
    logging.getLogger("httpx2").info("theirs")

    assert [record.getMessage() for record in caplog.records] == ["ours", "theirs"]
