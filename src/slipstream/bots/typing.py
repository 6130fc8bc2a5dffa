"""Names of the types that programs annotate their hooks with."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from slipstream.bots.adapters.bot import Bot, CalledHook, CallingHook
from slipstream.bots.connections import (
    HTTPPOLLING_SETUP as HTTPPOLLING_SETUP,
    WEBSOCKET_SETUP as WEBSOCKET_SETUP,
)

T_BotConnectionHook: TypeAlias = Callable[[Bot], Awaitable[None]]
"""What `Driver.on_bot_connect` takes."""

T_BotDisconnectionHook: TypeAlias = Callable[[Bot], Awaitable[None]]
"""What `Driver.on_bot_disconnect` takes."""

T_CallingAPIHook: TypeAlias = CallingHook
"""What `Bot.on_calling_api` takes."""

T_CalledAPIHook: TypeAlias = CalledHook
"""What `Bot.on_called_api` takes."""

T_Hook: TypeAlias = Callable[[], Any]
"""What `Driver.on_startup` and `Driver.on_shutdown` take."""
