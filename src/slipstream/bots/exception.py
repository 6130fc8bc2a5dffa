"""Errors between a program, its bots and their peers."""

from dataclasses import dataclass
from typing import Any

from slipstream.exceptions import DefinitionError, SlipstreamError


class BotsError(SlipstreamError):
    """Root of the errors of bots."""


@dataclass(eq=False)
class WrongSetting(DefinitionError, BotsError, ValueError):
    """A setting cannot be read; the error does not show its value, which may be secret.

    `source` is the file, "the environment" or "the settings".
    """

    source: str
    key: str
    problem: str
    text = "cannot read setting {key!r} of {source}: {problem}"


class NotInitialized(BotsError, ValueError):
    """Something needs the driver before `init()` has made it."""

    text = "there is no driver yet\n  call slipstream.bots.init() first"


class NoBots(BotsError, ValueError):
    """Any bot was asked for, and none is connected."""

    text = "no bot is connected"


@dataclass(eq=False)
class NotThatKind(BotsError, TypeError):
    """The driver has no server, or no clients."""

    driver: str
    wanted: str
    text = "driver {driver!r} is no {wanted}"


@dataclass(eq=False)
class UnknownAdapter(BotsError, LookupError):
    """A connection names an adapter that is not registered."""

    adapter: str
    text = "there is no adapter {adapter!r}\n  register it: driver.register_adapter({adapter!r}, ...)"


@dataclass(eq=False)
class AdapterExists(DefinitionError, BotsError, ValueError):
    """Two adapters were registered under one name."""

    adapter: str
    text = "there is another adapter {adapter!r} already"


@dataclass(eq=False)
class BotExists(BotsError, RuntimeError):
    """A bot with the same id is connected."""

    self_id: str
    text = "bot {self_id!r} is connected already"


@dataclass(eq=False)
class OpenToAll(DefinitionError, BotsError, RuntimeError):
    """The server would listen on more than this machine with no token set."""

    host: str
    text = (
        "refused to listen on {host} without a token: whoever reaches it could speak for your bots\n"
        "  set ACCESS_TOKEN (and check it in the adapter), listen on 127.0.0.1,\n"
        "  or say SLIPSTREAM_ALLOW_EMPTY_TOKEN=true"
    )


@dataclass(eq=False)
class WebSocketClosed(BotsError, ConnectionError):
    """A WebSocket has ended; `code` is None if no close frame came."""

    code: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        reason = self.reason and f" {self.reason}"
        return f"the WebSocket is closed ({self.code or 'no close frame'}{reason})"


@dataclass(eq=False)
class CallInterrupted(BotsError, ConnectionError):
    """The connection of a bot ended before an API call had its answer; the peer may have acted on the call."""

    self_id: str
    api: str
    text = "the connection of bot {self_id!r} ended during the API call {api!r}"


@dataclass(eq=False)
class MockApiException(BotsError):
    """Raised by a calling hook to skip the API call and return `result` in its place."""

    result: Any = None
    text = "the API call is answered by a hook"
