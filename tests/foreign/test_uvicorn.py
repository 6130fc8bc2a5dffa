"""Protocols of uvicorn that are others inside: uvicorn's own serve then (`tests/server/test_server.py`)."""

from typing import Any

import pytest
from uvicorn.middleware import proxy_headers
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .reloading import imported_again


def other() -> None:
    """Take nothing."""


HTTP, WEBSOCKETS = "uvicorn_http", "uvicorn_websockets"


@pytest.mark.parametrize("instead", [None, object])
def test_without_its_middleware_an_application_is_taken_as_it_is(instead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a later uvicorn puts around it for proxy headers then stays there."""
    around = proxy_headers.ProxyHeadersMiddleware(other)  # type: ignore[arg-type]  # any object will do
    assert imported_again(HTTP).without_proxy_headers(around) is other

    if instead is None:
        monkeypatch.delattr(proxy_headers, "ProxyHeadersMiddleware")
    else:
        monkeypatch.setattr(proxy_headers, "ProxyHeadersMiddleware", instead)

    assert imported_again(HTTP).without_proxy_headers(around) is around


def test_the_release_that_is_there_fits() -> None:
    """Otherwise every request would go the longer way, and nobody would notice."""
    assert imported_again(HTTP)
    assert imported_again(WEBSOCKETS)


@pytest.mark.parametrize(
    ("module", "owner", "name", "instead"),
    [
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
