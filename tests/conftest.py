"""What every test shares. Warnings are errors (pyproject.toml); fixtures of one folder live in that folder."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests marked `anyio` run on asyncio, under which the servers run too."""
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to write the files in `golden/` anew, for a reviewer to read the diff."""
    parser.addoption("--update-golden", action="store_true", help="write the generated sources in tests/golden anew")
