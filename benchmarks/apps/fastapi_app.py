"""FastAPI: the program of `annotated.py`."""

from typing import Any

import fastapi

from benchmarks.apps import annotated


def build(work: str) -> Any:
    """Make the application for one work."""
    return annotated.build(fastapi, work)
