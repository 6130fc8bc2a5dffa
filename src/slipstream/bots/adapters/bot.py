"""One account on a chat platform, as the program sees it."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, ClassVar, TypeVar

from anyio import CancelScope

from slipstream.bots.config import Config
from slipstream.bots.connections import HTTPConnection, HTTPResponse
from slipstream.bots.exception import CallInterrupted, MockApiException
from slipstream.links.redact import printable

logger = logging.getLogger("slipstream.bots")

CallingHook = Callable[["Bot", str, dict[str, Any]], Awaitable[None]]
"""Called before an API call with bot, name and data."""

CalledHook = Callable[["Bot", Exception | None, str, dict[str, Any], Any], Awaitable[None]]
"""Called after an API call with bot, what it raised, name, data, and what it returned."""

Calling = TypeVar("Calling", bound=CallingHook)
Called = TypeVar("Called", bound=CalledHook)


class Traffic:
    """The API calls of a bot that wait for their answer; what ends them when the connection ends.

    Args:
        on_change: Called when a call begins or ends.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self._scopes: set[CancelScope] = set()
        self.is_over = False

    def __len__(self) -> int:
        return len(self._scopes)

    async def carry(self, call: Awaitable[Any]) -> tuple[bool, Any]:
        """Wait for a call; tell whether it came to its end, and its result."""
        with CancelScope() as scope:
            self._scopes.add(scope)
            self._on_change()
            try:
                return True, await call
            finally:
                self._scopes.discard(scope)
                self._on_change()
        return False, None

    def end(self) -> int:
        """Interrupt the calls; tell how many there were."""
        self.is_over = True
        for scope in self._scopes:
            scope.cancel()
        return len(self._scopes)


class Bot(ABC):
    """One account on a chat platform, while it is connected.

    An attribute that it does not have is an API call: `await bot.send_msg(text="hello")`.

    Args:
        self_id: Id of the account.
        request: The request that came, or the WebSocket that is open.
    """

    driver: Any = None
    """The driver that the adapter is registered with."""

    config: Config
    """The driver's settings."""

    _calling_api_hook: ClassVar[list[CallingHook]] = []
    _called_api_hook: ClassVar[list[CalledHook]] = []

    def __init__(self, self_id: str, request: HTTPConnection) -> None:
        self.self_id, self.request = self_id, request

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Hooks of a class are its own; those of its bases are found by the order of bases.
        cls._calling_api_hook, cls._called_api_hook = [], []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('self_id')!r}>"

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return partial(self.call_api, name)

    # What an adapter may say

    @classmethod
    def register(cls, driver: Any, config: Config, **kwargs: Any) -> None:
        """Take note of the driver that the adapter is registered with.

        Args:
            driver: The driver.
            config: Its settings.
            kwargs: What `register_adapter` was given besides.
        """
        cls.driver, cls.config = driver, config

    def take_reply(self, message: bytes) -> bool:
        """Take a frame at once, ahead of the queue, if it answers an API call; say whether it does.

        An adapter that says so gets its events strictly one after the other. For one that does not, a frame that
        comes while an API call waits is handled beside the handler that waits, for it may be the answer.
        """
        return False

    # What an adapter has to say

    @property
    @abstractmethod
    def type(self) -> str:
        """Name of the adapter."""

    @classmethod
    @abstractmethod
    async def check_permission(cls, driver: Any, request: HTTPConnection) -> tuple[str | None, HTTPResponse | None]:
        """Decide whether a peer may connect.

        Compare tokens with `same_token`.

        Args:
            driver: The driver that asks.
            request: An `HTTPRequest`, or a `WebSocket` that is not accepted yet.

        Returns:
            The bot's id, or None to refuse; and the answer: its status, body and headers reach the peer. None
            means 200, or 401 to refuse (403 to a WebSocket).
        """

    @abstractmethod
    async def handle_message(self, message: bytes) -> None:
        """Handle what the peer sent: a body, or one frame, text or binary."""

    @abstractmethod
    async def _call_api(self, api: str, **data: Any) -> Any:
        """Call the platform's API."""

    @abstractmethod
    async def send(self, event: Any, message: Any, **kwargs: Any) -> Any:
        """Answer an event with a message."""

    # What a program asks

    async def call_api(self, api: str, **data: Any) -> Any:
        """Call the platform's API, with the hooks around.

        Args:
            api: Name of the call.
            data: Its parameters.

        Returns:
            What the platform answers, as the adapter reads it.

        Raises:
            CallInterrupted: The connection ended, or had ended, before the answer came; raised at once.
        """
        result: Any = None
        exception: Exception | None = None
        try:
            await self._run_hooks("calling", [hook(self, api, data) for hook in self._hooks("_calling_api_hook")])
            result = await self._carried(api, data)
        except MockApiException as mock:
            result = mock.result
        except Exception as error:
            exception = error
        try:
            hooks = self._hooks("_called_api_hook")
            await self._run_hooks("called", [hook(self, exception, api, data, result) for hook in hooks])
        except MockApiException as mock:
            return mock.result
        if exception is not None:
            raise exception
        return result

    @classmethod
    def on_calling_api(cls, func: Calling) -> Calling:
        """Call a function of `(bot, api, data)` before each API call; it may change `data`.

        If it raises `MockApiException(result)`, the API is not called.
        """
        cls._calling_api_hook.append(func)
        return func

    @classmethod
    def on_called_api(cls, func: Called) -> Called:
        """Call a function of `(bot, exception, api, data, result)` after each API call.

        If it raises `MockApiException(result)`, that is what the caller gets.
        """
        cls._called_api_hook.append(func)
        return func

    # Beneath

    async def _carried(self, api: str, data: dict[str, Any]) -> Any:
        traffic: Traffic | None = self.__dict__.get("_traffic")
        if traffic is None:
            return await self._call_api(api, **data)
        if traffic.is_over:
            raise CallInterrupted(self.self_id, api)
        is_done, result = await traffic.carry(self._call_api(api, **data))
        if not is_done:
            raise CallInterrupted(self.self_id, api)
        return result

    @classmethod
    def _hooks(cls, name: str) -> Iterable[Any]:
        return [hook for base in reversed(cls.__mro__) for hook in base.__dict__.get(name, ())]

    async def _run_hooks(self, when: str, hooks: list[Awaitable[None]]) -> None:
        if not hooks:
            return
        results = await asyncio.gather(*hooks, return_exceptions=True)
        mock: MockApiException | None = None
        for result in results:
            if isinstance(result, MockApiException):
                mock = mock or result
            elif isinstance(result, Exception):
                logger.error("bot %s: a hook of %s an API failed", printable(self.self_id), when, exc_info=result)
        if mock is not None:
            raise mock
