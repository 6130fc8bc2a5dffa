"""What a program says about a link."""

import ssl
from typing import Any

import pytest

from slipstream.links import TLS, PollingSetup, Timeouts, WebSocketSetup, WrongSetup
from slipstream.links.setup import LinkOptions, Options


@pytest.mark.parametrize("url", ["http://h/", "ws://", "h", "", "ws://h:0/", "ws://h:x/", "ws://h/a b", "ws://h/\n"])
def test_an_address_that_is_none_is_refused_where_it_is_written(url: str) -> None:
    """Not by a task at three in the morning."""
    with pytest.raises(WrongSetup, match="ws://host"):
        WebSocketSetup(url)


def test_setups_show_no_secrets() -> None:
    """They are printed in logs, tracebacks and debuggers."""
    secrets = {"Authorization": "Bearer s3cr3t"}
    shown = repr(
        [
            WebSocketSetup("wss://u:s3cr3t@h/x?t=s3cr3t", headers=secrets, cookies={"sid": "s3cr3t"}),
            PollingSetup("https://h/", params={"key": "s3cr3t"}, json={"p": "s3cr3t"}, proxy="http://u:s3cr3t@p:1"),
            PollingSetup("https://h/", content=b"s3cr3t"),
            TLS(password="s3cr3t"),
        ]
    )

    assert "s3cr3t" not in shown
    assert "Authorization" in shown


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (lambda: PollingSetup("http://h/", interval=0), "interval"),
        (lambda: PollingSetup("http://h/", content=b"", json={}), "json"),
        (lambda: WebSocketSetup("ws://h/", max_message=0), "max_message"),
        (lambda: WebSocketSetup("ws://h/", ping_timeout=float("nan")), "ping_timeout"),
        (lambda: Timeouts(connect=-1), "connect"),
        (lambda: Options.of({"queue": 0}), "queue"),
        (lambda: Options.of({"dedupe": -1}), "dedupe"),
        (lambda: Options.of({"policy": "perhaps"}), "policy"),  # type: ignore[typeddict-item]  # that is the claim
        (lambda: Options.of({"quue": 1}), "quue"),  # type: ignore[typeddict-unknown-key]  # that is the claim
    ],
)
def test_a_setting_out_of_its_range_is_refused(make: Any, setting: str) -> None:
    """The error names the setting and what it may be."""
    with pytest.raises(WrongSetup) as refused:
        make()

    assert refused.value.setting == setting
    assert "expected" in str(refused.value)


def test_options_have_one_list_of_names() -> None:
    """What the decorators take is what `Options` has."""
    assert set(LinkOptions.__annotations__) == set(Options.__slots__)


def test_certificates_are_verified_unless_a_test_says_otherwise() -> None:
    """The default is the safe one."""
    assert TLS().build().verify_mode is ssl.CERT_REQUIRED
    assert TLS().build().check_hostname
    assert TLS(verify=False).build().verify_mode is ssl.CERT_NONE
    own = ssl.create_default_context()
    assert TLS(context=own).build() is own
