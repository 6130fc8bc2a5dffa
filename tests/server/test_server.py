"""Which protocol class uvicorn is given."""

import sys

import pytest
import uvicorn

from slipstream.server import http_protocol


def test_ours_is_named_so_that_uvicorn_finds_it() -> None:
    """By name, since workers and reloading import it anew."""
    config = uvicorn.Config("app", http=http_protocol(), log_config=None)  # type: ignore[arg-type]  # a name will do

    config.load_app = lambda: None  # type: ignore[method-assign]  # there is none to load
    config.load()

    assert config.http_protocol_class.__module__ == "slipstream.server.http"


@pytest.mark.parametrize("missing", ["httptools", "uvicorn.protocols.http.httptools_impl"])
def test_without_its_ground_uvicorn_chooses(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pure Python installation serves; so does one with a uvicorn that is another inside."""
    for name in ("slipstream.server.http", "uvicorn.protocols.http.httptools_impl"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)

    assert http_protocol() == "auto"
