"""Programs in a folder of their own, and environments."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compat.environments import Environment, make_environment


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


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file below the test's folder."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write
