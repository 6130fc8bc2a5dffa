"""What may be shown of addresses and of a peer's words."""

import pytest
from hypothesis import given, strategies as st

from slipstream.links.redact import printable, secrets_in, shown_url, without_secrets


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
