"""A uvicorn that is another inside."""

from typing import Any

import pytest
from uvicorn.middleware import proxy_headers

from .reloading import imported_again


def other() -> None:
    """Take nothing."""


HTTP = "uvicorn_http"


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
