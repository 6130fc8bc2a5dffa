"""Run the example: `python examples/bots/echo`, then open http://127.0.0.1:8080."""

import logging

from slipstream import bots

from bot import build
from fake_platform import EchoPlatform

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
logging.getLogger("httpx2").setLevel(logging.WARNING)
build(EchoPlatform(pace=1.0, drop_after=10))
bots.run()
