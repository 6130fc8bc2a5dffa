"""A short run of `soak.py`."""

import sys

import pytest

from tests.server.soak import soak


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells memory and descriptors of a process")
def test_memory_and_descriptors_stay_as_they_are() -> None:
    """Ten seconds of good and bad clients; an hour is for `python -m tests.server.soak 3600`."""
    done, kib, descriptors = soak(10)

    assert min(done["good"], done["bad"], done["left"]) > 20
    assert kib < 1024
    assert descriptors <= 0
