"""What every test shares. Warnings are errors (pyproject.toml); fixtures of one folder live in that folder."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.serving import make_certificate

# The same examples in every run, however busy the machine: a run that fails fails again.
# SLIPSTREAM_SEARCH=50 draws others, and in tests/differential fifty times as many.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("search" if "SLIPSTREAM_SEARCH" in os.environ else "steady")


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests marked `anyio` run on asyncio, under which the servers run too."""
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to write the files in `golden/` anew, for a reviewer to read the diff."""
    parser.addoption("--update-golden", action="store_true", help="write the generated sources in tests/golden anew")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, and its key."""
    both = tmp_path_factory.mktemp("tls") / "both.pem"
    make_certificate(both)
    return both
