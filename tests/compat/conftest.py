"""Programs in a folder of their own, and environments."""

from pathlib import Path

import pytest

from tests.compat.environments import Environment, make_environment
from tests.programs import write as write


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment of the test's own."""
    return make_environment(tmp_path)


@pytest.fixture(scope="module")
def aliased(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment in which the alias is on, for tests that only look."""
    made = make_environment(tmp_path_factory.mktemp("aliased"))
    made.alias("on")
    return made
