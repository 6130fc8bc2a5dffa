"""slipstream with the limits for the internet, called as `slipstream.server` calls it."""

from benchmarks.apps import slipstream_app
from benchmarks.apps.direct import Served
from slipstream import INTERNET


def build(work: str) -> Served:
    """Make the application for one work."""
    app = slipstream_app.build(work)
    app.limits = INTERNET
    return Served(app)
