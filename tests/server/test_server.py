"""Which protocol classes uvicorn is given."""

import sys

import pytest
import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from slipstream.server import http_protocol, ws_protocol

FOREIGN = "slipstream._foreign.uvicorn_"


def test_ours_are_named_so_that_uvicorn_finds_them() -> None:
    """By name, since workers and reloading import them anew."""
    config = uvicorn.Config(
        "app",
        http=http_protocol(),  # type: ignore[arg-type]  # a name will do
        ws=ws_protocol(),  # type: ignore[arg-type]  # a name will do
        log_config=None,
    )

    config.load_app = lambda: None  # type: ignore[method-assign]  # there is none to load
    config.load()

    assert config.http_protocol_class.__module__ == "slipstream.server.http"
    assert config.ws_protocol_class is not None
    assert config.ws_protocol_class.__module__ == "slipstream.server.websockets"


def test_without_its_parser_uvicorn_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pure Python installation serves."""
    monkeypatch.delitem(sys.modules, "slipstream.server.http", raising=False)
    monkeypatch.setitem(sys.modules, "httptools", None)

    assert http_protocol() == "auto"


def test_without_its_library_uvicorn_chooses_for_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no websockets, or a uvicorn of an earlier age."""
    for name in ("slipstream.server.websockets", FOREIGN + "websockets"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn.protocols.websockets.websockets_sansio_impl", None)

    assert ws_protocol() == "auto"


def test_under_another_uvicorn_it_chooses_for_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ours leans on may have another name there; nobody should learn it from a connection that fails."""

    def other(self: object) -> None:
        """Set up nothing that ours knows."""

    for name in ("slipstream.server.websockets", FOREIGN + "websockets"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(WebSocketsSansIOProtocol, "__init__", other)

    assert ws_protocol() == "auto"
