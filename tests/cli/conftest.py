"""Programs in a folder of their own, and the `slipstream` command run on them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import write as write

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def slipstream(tmp_path: Path) -> Command:
    """Run `python -m slipstream …` in the test's folder and return what it printed."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "slipstream", *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
