"""The application that `slipstream run` serves, for processes that a server starts itself.

With `--reload` and `--workers` uvicorn starts processes that import `slipstream.cli.served:app`;
what to serve comes to them in an environment variable. Importing this module imports the user's.
"""

import json
import os

from slipstream.cli.options import find_application

VARIABLE = "SLIPSTREAM_SERVED"
"""Holds the target as JSON: `[target, name, alias]`."""

STARTUP_FAILURE = 3
"""uvicorn stops its other workers, too, when one exits with this code."""

app, _ = find_application(*json.loads(os.environ[VARIABLE]), exit_code=STARTUP_FAILURE)
