"""Slipstream: the program of `annotated.py`."""

from typing import Any

import slipstream
from benchmarks.apps import annotated


def build(work: str) -> Any:
    """Make the application for one work."""
    return annotated.build(slipstream, work)
