"""The event loop that all applications of this folder run on is closed at the end."""

from collections.abc import Iterator

import pytest

from .harness import runner


@pytest.fixture(scope="session", autouse=True)
def _one_loop() -> Iterator[None]:
    yield
    runner.close()
