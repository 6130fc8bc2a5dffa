"""A driver for NoneBot 2.5: `DRIVER=slipstream.bots.nonebot` runs a NoneBot bot on our server and our clients.

`Driver` serves and dials; `Mixin` adds the clients alone to another driver, as in
`DRIVER=~none+slipstream.bots.nonebot`. Needs the extra `slipstream[nonebot]`.
"""

from slipstream.bots.nonebot.config import Config as Config
from slipstream.bots.nonebot.driver import Driver as Driver, Mixin as Mixin
