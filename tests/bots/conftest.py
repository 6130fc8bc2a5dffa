"""Fixtures of the tests of bots."""

import pytest

from .support import Script


@pytest.fixture
def script() -> Script:
    return Script()
