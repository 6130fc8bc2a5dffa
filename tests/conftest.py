"""What every test shares. Warnings are errors (pyproject.toml); fixtures of one folder live in that folder."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests marked `anyio` run on asyncio, under which the servers run too."""
    return "asyncio"
