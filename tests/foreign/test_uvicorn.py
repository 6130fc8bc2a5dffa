"""Protocols of uvicorn that are others inside: uvicorn's own serve then (`tests/server/test_server.py`)."""

from typing import Any

import pytest
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .reloading import imported_again


class OtherCycle(httptools_impl.RequestResponseCycle):
    """A cycle that keeps the body as a list of parts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.body = []  # type: ignore[assignment]


class OlderCycle:
    """A cycle that is made of other arguments."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope


def other() -> None:
    """Take nothing."""


HTTP, WEBSOCKETS = "uvicorn_http", "uvicorn_websockets"


def test_the_release_that_is_there_fits() -> None:
    """Otherwise every request would go the longer way, and nobody would notice."""
    assert imported_again(HTTP)
    assert imported_again(WEBSOCKETS)


@pytest.mark.parametrize(
    ("module", "owner", "name", "instead"),
    [
        (HTTP, httptools_impl, "RequestResponseCycle", OtherCycle),
        (HTTP, httptools_impl, "RequestResponseCycle", OlderCycle),
        (HTTP, httptools_impl, "STATUS_LINE", {200: "HTTP/1.1 200 OK"}),
        (HTTP, httptools_impl.HttpToolsProtocol, "__init__", other),
        (HTTP, FlowControl, "__init__", other),
        (WEBSOCKETS, WebSocketsSansIOProtocol, "__init__", other),
        (WEBSOCKETS, WebSocketsSansIOProtocol, "data_received", other),
        (WEBSOCKETS, WebSocketsSansIOProtocol, "receive", other),
        (WEBSOCKETS, WebSocketsSansIOProtocol, "send_receive_event_to_app", None),
    ],
)
def test_another_shape_is_an_error_at_import(
    module: str, owner: Any, name: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks which protocol to use is then told of uvicorn's own."""
    monkeypatch.setattr(owner, name, instead)

    with pytest.raises(ImportError, match="another inside"):
        imported_again(module)
