"""The bot: an ordinary NoneBot program, but for the name of its driver.

    python -m examples.bots.onebot.bot --port 8080

waits for a OneBot V11 implementation (NapCat, Lagrange, …) at ws://127.0.0.1:8080/onebot/v11/ws.
"""

import argparse

import nonebot
from nonebot.adapters.onebot.v11 import Adapter


def main() -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--token", help="what a platform must show")
    parser.add_argument("--log-level", default="INFO")
    given = parser.parse_args()
    nonebot.init(
        driver="slipstream.bots.nonebot",
        host="127.0.0.1",
        port=given.port,
        log_level=given.log_level,
        onebot_access_token=given.token,
    )
    driver = nonebot.get_driver()
    driver.register_adapter(Adapter)
    nonebot.load_plugin("examples.bots.onebot.plugin")
    nonebot.run()


if __name__ == "__main__":
    main()
