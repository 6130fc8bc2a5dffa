"""Connections of the library `websockets` that are others inside."""

from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol

from slipstream._foreign.websockets import connection_fits
from slipstream._sockets.client import BoundedConnection, LeanConnection, connection_type


def other() -> None:
    """Take nothing."""


def test_the_library_that_is_there_fits() -> None:
    """Otherwise every message would go the longer way, and nobody would notice."""
    assert connection_fits()
    assert connection_type() is LeanConnection


@pytest.mark.parametrize(
    ("owner", "name", "instead"),
    [
        (ClientConnection, "process_event", other),
        (ClientConnection, "send_data", None),
        (ClientConnection, "send", other),
        (ClientConnection, "__init__", other),
        (ClientProtocol, "fail", other),
        (ClientProtocol, "__init__", other),
    ],
)
def test_another_shape_is_used_as_it_is(owner: Any, name: str, instead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody should learn it from a connection that fails."""
    monkeypatch.setattr(owner, name, instead)
    if name == "__init__" and owner is ClientConnection:
        monkeypatch.setattr(owner.__mro__[1], name, instead)
    if name == "__init__" and owner is ClientProtocol:
        monkeypatch.setattr(owner.__mro__[1], name, instead)

    assert connection_type() is BoundedConnection
