"""Which protocol classes uvicorn is given."""

import sys

import pytest
import uvicorn

from slipstream.server import http_protocol, ws_protocol


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


@pytest.mark.parametrize("library", ["websockets", "httptools"])
def test_without_a_library_uvicorn_chooses_for_websockets(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of websockets ours has the masks, of httptools the parser of handshakes."""
    for name in ("server.websockets", "server.http", "server.handshake", "_sockets.deflate", "_sockets.frames"):
        monkeypatch.delitem(sys.modules, f"slipstream.{name}", raising=False)
    for name in [each for each in sys.modules if each.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)

    assert ws_protocol() == "auto"
