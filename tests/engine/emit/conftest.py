"""An endpoint, served by what is generated for it."""

from collections.abc import Callable
from typing import Any

import pytest

from slipstream import FastAPI
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]


@pytest.fixture
def serve() -> Serve:
    """Serve one function at a path, with the options of a path operation."""

    def serve(endpoint: Any, path: str = "/", method: str = "post", **options: Any) -> TestClient:
        app = FastAPI(openapi_url=None)
        getattr(app, method)(path, **options)(endpoint)
        return TestClient(app, raise_server_exceptions=False)

    return serve
