"""What can go wrong between a program, its bots and their peers."""

from dataclasses import dataclass
from typing import Any

from slipstream.exceptions import DefinitionError, SlipstreamError


class BotsError(SlipstreamError):
    """Root of the errors of bots."""


@dataclass(eq=False)
class WrongSetting(DefinitionError, BotsError, ValueError):
    """A setting cannot be read; its value is not shown, for it may be secret.

    `source` is the file, "the environment" or "init".
    """

    source: str
    key: str
    problem: str

    def __str__(self) -> str:
        return f"cannot read setting {self.key!r} of {self.source}: {self.problem}"


@dataclass(eq=False)
class NotInitialized(BotsError, ValueError):
    """A driver was asked for before `init()` has made one."""

    def __str__(self) -> str:
        return "there is no driver yet\n  call slipstream.bots.init() first"


@dataclass(eq=False)
class NoBots(BotsError, ValueError):
    """Any bot was asked for, and none is connected."""

    def __str__(self) -> str:
        return "no bot is connected"


@dataclass(eq=False)
class NotThatKind(BotsError, TypeError):
    """The driver has no server, or no clients."""

    driver: str
    wanted: str

    def __str__(self) -> str:
        return f"driver {self.driver!r} is no {self.wanted}"


@dataclass(eq=False)
class UnknownAdapter(BotsError, LookupError):
    """A connection names an adapter that is not registered."""

    adapter: str

    def __str__(self) -> str:
        return f"there is no adapter {self.adapter!r}\n  register it: driver.register_adapter({self.adapter!r}, ...)"


@dataclass(eq=False)
class AdapterExists(DefinitionError, BotsError, ValueError):
    """Two adapters were registered under one name."""

    adapter: str

    def __str__(self) -> str:
        return f"there is another adapter {self.adapter!r} already"


@dataclass(eq=False)
class BotExists(BotsError, RuntimeError):
    """A bot with the same id is connected."""

    self_id: str

    def __str__(self) -> str:
        return f"bot {self.self_id!r} is connected already"


@dataclass(eq=False)
class OpenToAll(DefinitionError, BotsError, RuntimeError):
    """The server would listen on more than this machine with no token set."""

    host: str

    def __str__(self) -> str:
        return (
            f"refused to listen on {self.host} without a token: whoever reaches it could speak for your bots\n"
            "  set ACCESS_TOKEN (and check it in the adapter), listen on 127.0.0.1,\n"
            "  or say SLIPSTREAM_ALLOW_EMPTY_TOKEN=true"
        )


@dataclass(eq=False)
class WebSocketClosed(BotsError, ConnectionError):
    """A WebSocket has ended; `code` is None where no close frame came."""

    code: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        return f"the WebSocket is closed ({self.code or 'no close frame'}{' ' + self.reason if self.reason else ''})"


@dataclass(eq=False)
class CallInterrupted(BotsError, ConnectionError):
    """The connection of a bot ended before an API call had its answer; the peer may have acted."""

    self_id: str
    api: str

    def __str__(self) -> str:
        return f"the connection of bot {self.self_id!r} ended during the API call {self.api!r}"


@dataclass(eq=False)
class MockApiException(BotsError):
    """Raised by a calling hook: do not call the API, `result` is what it returns."""

    result: Any = None

    def __str__(self) -> str:
        return "the API call is answered by a hook"
