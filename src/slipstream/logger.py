"""The logger that the package writes to."""

import logging

logger = logging.getLogger("slipstream")
