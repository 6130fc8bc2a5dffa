"""What a program says about a link."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from slipstream import Depends
from slipstream.links import TLS, Backoff, Fatal, Links, PollingSetup, Timeouts, WebSocketSetup, WrongSetup
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


OUT_OF_RANGE: list[tuple[Callable[[], object], str]] = [
    (lambda: PollingSetup("http://h/", interval=0), "interval"),
    (lambda: PollingSetup("http://h/", content=b"", json={}), "json"),
    (lambda: WebSocketSetup("ws://h/", max_message=0), "max_message"),
    (lambda: WebSocketSetup("ws://h/", ping_timeout=float("nan")), "ping_timeout"),
    (lambda: Timeouts(connect=-1), "connect"),
    (lambda: Options.of({"queue": 0}), "queue"),
    (lambda: Options.of({"dedupe": -1}), "dedupe"),
    (lambda: Options.of({"policy": "perhaps"}), "policy"),  # type: ignore[typeddict-item]  # that is the claim
    (lambda: Options.of({"queue": "10"}), "queue"),  # type: ignore[typeddict-item]  # that is the claim
    (lambda: Options.of({"concurrency": 1.5}), "concurrency"),  # type: ignore[typeddict-item]  # that is the claim
    (lambda: Options.of({"backoff": 3}), "backoff"),  # type: ignore[typeddict-item]  # that is the claim
    (lambda: Options.of({"fatal": {401}}), "fatal"),  # type: ignore[typeddict-item]  # that is the claim
    (lambda: Options.of({"event_id": 3}), "event_id"),  # type: ignore[typeddict-item]  # that is the claim
    (lambda: WebSocketSetup(cast(Any, None)), "url"),
    (lambda: WebSocketSetup("ws://h/", max_redirects=-1), "max_redirects"),
    (lambda: WebSocketSetup("ws://h/", subprotocols=cast(Any, "chat")), "subprotocols"),
    (lambda: PollingSetup("http://h/", method="GE T"), "method"),
    (lambda: PollingSetup("http://h/", interval=cast(Any, None)), "interval"),
    (lambda: PollingSetup("http://h/", headers={"X": cast(Any, 5)}), "headers['X']"),
    (lambda: PollingSetup("http://h/", headers={"X Y": "z"}), "headers"),
    (lambda: WebSocketSetup("ws://h/", cookies={"sid": "漢"}), "cookies['sid']"),
    (lambda: TLS(ca_file="/nowhere.pem"), "ca_file"),
    (lambda: TLS(certificate="/nowhere.pem"), "certificate"),
    (lambda: Links().websocket(cast(Any, None)), "setup"),
    (lambda: Links().websocket(cast(Any, PollingSetup("http://h/"))), "setup"),
    (lambda: Links().poll(cast(Any, WebSocketSetup("ws://h/"))), "setup"),
    (lambda: Links().accept("/ws/{id}", key="ident"), "key"),
    (lambda: Links().accept("/ws", duplicates=cast(Any, "perhaps")), "duplicates"),
    (lambda: Links().accept("/ws", max_message=0), "max_message"),
    (lambda: Links().accept("/ws", silence=-1), "silence"),
    (lambda: Links().accept("/ws", remember=-1), "remember"),
    (lambda: Links().accept("/ws", subprotocols="chat"), "subprotocols"),
    (lambda: Links().webhook("/hook", max_message=0), "max_message"),
    (lambda: Links(drain=cast(Any, "10")), "drain"),
    (lambda: Fatal(close_codes=cast(Any, 4004)), "close_codes"),
    (lambda: Fatal(statuses=cast(Any, "401")), "statuses"),
    (lambda: Fatal(tries=cast(Any, "3")), "tries"),
    (lambda: Backoff(first=cast(Any, "1")), "first"),
    (lambda: Backoff(limit=0.5), "limit"),
    (lambda: Backoff(factor=cast(Any, None)), "factor"),
    (lambda: WebSocketSetup("ws://h/", subprotocols=cast(Any, None)), "subprotocols"),
    (lambda: WebSocketSetup("ws://h/", subprotocols=cast(Any, (1,))), "subprotocols"),
    (lambda: WebSocketSetup("ws://h/", headers=cast(Any, [("X", "y")])), "headers"),
    (lambda: WebSocketSetup("ws://h/", tls=cast(Any, True)), "tls"),
    (lambda: WebSocketSetup("ws://h/", timeouts=cast(Any, 3)), "timeouts"),
    (lambda: WebSocketSetup("ws://h/", backoff=cast(Any, 3)), "backoff"),
    (lambda: PollingSetup("http://h/", params=cast(Any, "a=b")), "params"),
    (lambda: PollingSetup("http://h/", content=cast(Any, ["x"])), "content"),
    (lambda: PollingSetup("http://h/", transport=cast(Any, httpx2.MockTransport(lambda request: None))), "transport"),
    (lambda: TLS(context=cast(Any, True)), "context"),
    (lambda: TLS(ca_file=cast(Any, 5)), "ca_file"),
    (lambda: Links().poll("http://h/", events=cast(Any, 5)), "events"),
    (lambda: Links().poll("http://h/", cursor=cast(Any, ["next"])), "cursor"),
    (lambda: Links().poll("http://h/", cursor_param=cast(Any, 5)), "cursor_param"),
    (lambda: Links().poll("http://h/", on_cursor=cast(Any, "print")), "on_cursor"),
    (lambda: Links().accept("/ws", key=cast(Any, 5)), "key"),
    (lambda: Links().accept("/ws", permission=cast(Any, True)), "permission"),
    (lambda: Links().accept("/ws", dependencies=cast(Any, Depends(print))), "dependencies"),
    (lambda: Links().webhook("/hook", dependencies=cast(Any, [print])), "dependencies"),
    (lambda: Links().webhook("/hook", name=cast(Any, 5)), "name"),
    (lambda: Links(random=cast(Any, 0.5)), "random"),
    (lambda: Links().on_change(cast(Any, None)), "on_change"),
    (lambda: Links().webhook("/hook")(cast(Any, None)), "handler"),
    (lambda: Links().websocket("ws://h/").opened(cast(Any, None)), "opened"),
    (lambda: Links().websocket("ws://h/").on_change(cast(Any, None)), "on_change"),
    (lambda: Links().websocket("ws://h/").on_drop(cast(Any, None)), "on_drop"),
    (lambda: Options.of({"setup_timeout": 0}), "setup_timeout"),
    (lambda: Options.of({"quue": 1}), "quue"),  # type: ignore[typeddict-unknown-key]  # that is the claim
]


@pytest.mark.parametrize(
    ("make", "setting"),
    OUT_OF_RANGE,
    ids=[f"{number} {setting}" for number, (_, setting) in enumerate(OUT_OF_RANGE)],
)
def test_a_setting_out_of_its_range_is_refused(make: Any, setting: str) -> None:
    """The error names the setting and what it may be."""
    with pytest.raises(WrongSetup) as refused:
        make()

    assert refused.value.setting == setting
    assert "expected" in str(refused.value)


def test_a_token_with_the_line_break_of_its_file_is_refused_and_not_shown() -> None:
    """The library that sends it would complain at each attempt, and show it."""
    with pytest.raises(WrongSetup, match="line breaks") as refused:
        PollingSetup("http://h/", headers={"X-Token": "s3cr3t\n"})

    assert "s3cr3t" not in str(refused.value)


def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    """OpenSSL's own words name no file."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")

    for tls in (TLS(ca_file=str(wrong)), TLS(certificate=str(wrong))):
        with pytest.raises(WrongSetup, match=r"wrong\.pem"):
            tls.build()


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
