"""What every driver has: adapters, hooks, and the bots that are connected."""

import logging
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

from slipstream.bots.adapters.bot import Bot
from slipstream.bots.config import Config, Env
from slipstream.bots.connections import HTTPPOLLING_SETUP, WEBSOCKET_SETUP
from slipstream.bots.exception import AdapterExists
from slipstream.bots.hub import BotHook, Hub, Options

logger = logging.getLogger("slipstream.bots")

AdapterClass: TypeAlias = type[Bot]

R = TypeVar("R", bound=dict[Any, Any] | set[Any])
Hook = TypeVar("Hook", bound=BotHook)
Function = TypeVar("Function", bound=Callable[..., Any])


class PerDriver(Generic[R]):
    """A registry that each driver has for itself; of the class, it is that of the driver made last, or the first."""

    def __init__(self, first: R) -> None:
        self.first = first

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, driver: "Driver | None", owner: type) -> R:
        # A driver has its own in its __dict__, which comes before this.
        last = Driver.last()
        found: R = self.first if last is None else last.__dict__[self._name]
        return found


class Driver(ABC):
    """Carries bytes between peers and bots, in an environment and by its settings."""

    _adapters: PerDriver[dict[str, type[Bot]]] = PerDriver({})
    """Adapters by name."""
    _bot_connection_hook: PerDriver[set[BotHook]] = PerDriver(set())
    """Called when a bot has connected."""
    _bot_disconnection_hook: PerDriver[set[BotHook]] = PerDriver(set())
    """Called when a bot has disconnected."""

    env: str
    """Name of the environment."""
    config: Config
    """The settings."""
    _clients: dict[str, Bot]
    """The bots that are connected, by id."""

    _last: "weakref.ref[Driver] | None" = None

    def __init__(self, env: Env, config: Config) -> None:
        self.env, self.config = env.environment, config
        for name in ("_adapters", "_bot_connection_hook", "_bot_disconnection_hook"):
            self.__dict__[name] = Driver.__dict__[name].first.copy()
        self._clients = {}
        self.options = Options.of(config)
        self.hub = Hub(self.options, self._bot_connection_hook, self._bot_disconnection_hook, self._clients)
        Driver._last = weakref.ref(self)

    @staticmethod
    def last() -> "Driver | None":
        """The driver that was made last, if it is still there."""
        return Driver._last() if Driver._last is not None else None

    @property
    def adapters(self) -> dict[str, type[Bot]]:
        """Adapters by name."""
        return self._adapters

    @property
    @abstractmethod
    def type(self) -> str:
        """Name of the driver."""

    @property
    @abstractmethod
    def logger(self) -> logging.Logger:
        """The driver's logger."""

    @property
    def bots(self) -> dict[str, Bot]:
        """The bots that are connected now, by id."""
        return dict(self._clients)

    def register_adapter(self, name: str, adapter: AdapterClass, **kwargs: Any) -> None:
        """Say which class speaks a protocol, under the name in the addresses that it serves.

        `kwargs` go to the class's `register`. AdapterExists says that another class has the name.
        """
        known = self.adapters.get(name)
        if known is adapter:
            logger.debug("adapter %s is registered already", name)
            return
        if known is not None:
            raise AdapterExists(name)
        self.adapters[name] = adapter
        adapter.register(self, self.config, **kwargs)

    def on_bot_connect(self, func: Hook) -> Hook:
        """Call a function of the bot when one has connected by WebSocket, or been polled for the first time.

        Its messages wait until the function is through, or has taken `slipstream_hook_timeout` seconds.
        """
        self._bot_connection_hook.add(func)
        return func

    def on_bot_disconnect(self, func: Hook) -> Hook:
        """Call a function of the bot when one has disconnected; its id is free by then."""
        self._bot_disconnection_hook.add(func)
        return func

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> None:
        """Run until the process gets a signal to stop."""

    @abstractmethod
    def on_startup(self, func: Function) -> Function:
        """Call a function, async or not, at start-up."""

    @abstractmethod
    def on_shutdown(self, func: Function) -> Function:
        """Call a function, async or not, at shutdown."""


class ForwardDriver(Driver):
    """A driver with clients: it calls others."""

    @abstractmethod
    def setup_http_polling(self, setup: HTTPPOLLING_SETUP) -> Any:
        """Ask an HTTP server again and again; a function is asked for the setup at each request."""

    @abstractmethod
    def setup_websocket(self, setup: WEBSOCKET_SETUP) -> Any:
        """Dial a WebSocket server, and dial again whenever the connection ends; a function is asked for each setup."""


class ReverseDriver(Driver):
    """A driver with a server: others call it."""

    @property
    @abstractmethod
    def server_app(self) -> Any:
        """The application."""

    @property
    @abstractmethod
    def asgi(self) -> Any:
        """The application, as ASGI servers call it."""
