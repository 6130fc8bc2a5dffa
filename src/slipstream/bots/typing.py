"""Types with which programs annotate their hooks."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from slipstream.bots.adapters.bot import Bot, CalledHook, CallingHook
from slipstream.bots.connections import HTTPPOLLING_SETUP as HTTPPOLLING_SETUP, WEBSOCKET_SETUP as WEBSOCKET_SETUP

T_BotConnectionHook: TypeAlias = Callable[[Bot], Awaitable[None]]
"""Argument of `Driver.on_bot_connect`."""

T_BotDisconnectionHook: TypeAlias = Callable[[Bot], Awaitable[None]]
"""Argument of `Driver.on_bot_disconnect`."""

T_CallingAPIHook: TypeAlias = CallingHook
"""Argument of `Bot.on_calling_api`."""

T_CalledAPIHook: TypeAlias = CalledHook
"""Argument of `Bot.on_called_api`."""

T_Hook: TypeAlias = Callable[[], Any]
"""Argument of `Driver.on_startup` and `Driver.on_shutdown`."""
