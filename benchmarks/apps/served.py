"""Slipstream's program of the work that the environment names, for `slipstream run`."""

import os

from benchmarks.apps.slipstream_app import build

app = build(os.environ.get("BENCHMARKS_WORK", "plain"))
