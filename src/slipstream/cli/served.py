"""The application that `slipstream run` serves, for processes that a server starts itself.

With `--reload` and `--workers` uvicorn starts processes that import `slipstream.cli.served:app`;
what to serve comes to them in an environment variable. Importing this module imports the user's.
"""

import json
import os
import sys

from slipstream import compat
from slipstream._engine.errors import SlipstreamError
from slipstream.cli.find import ImportFailed, load, read_target

VARIABLE = "SLIPSTREAM_SERVED"
"""Holds the target as JSON: `[target, name, alias]`."""

STARTUP_FAILURE = 3
"""uvicorn stops its other workers, too, when one exits with this code."""


def _load() -> object:
    target, name, alias = json.loads(os.environ[VARIABLE])
    try:
        if alias:
            compat.install()
        return load(read_target(target, name))[0]
    except SlipstreamError as error:
        if isinstance(error, ImportFailed):
            sys.stderr.write(error.excerpt() + "\n")
        sys.stderr.write(f"slipstream: {error}\n")
        sys.exit(STARTUP_FAILURE)


app = _load()
