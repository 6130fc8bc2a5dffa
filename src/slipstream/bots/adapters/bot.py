"""`Bot`: one account on a chat platform, with its API calls and their hooks; and the tokens of its peers."""

import asyncio
import hmac
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar

from anyio import CancelScope

from slipstream.bots.config import Config
from slipstream.bots.connections import HTTPConnection, HTTPResponse
from slipstream.bots.exception import CallInterrupted, MockApiException
from slipstream.links.redact import printable

logger = logging.getLogger("slipstream.bots")

CallingHook = Callable[["Bot", str, dict[str, Any]], Awaitable[None]]
"""Called before an API call with the bot, the name of the call, and its data."""

CalledHook = Callable[["Bot", Exception | None, str, dict[str, Any], Any], Awaitable[None]]
"""Called after an API call with the bot, its exception, the name of the call, its data, and its result."""

Calling = TypeVar("Calling", bound=CallingHook)
Called = TypeVar("Called", bound=CalledHook)


class Traffic:
    """The API calls of a bot that wait for their answer; `on_change` is called when one begins or ends."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self._scopes: set[CancelScope] = set()
        self.is_over = False

    def __len__(self) -> int:
        return len(self._scopes)

    async def carry(self, call: Awaitable[Any]) -> tuple[bool, Any]:
        """Wait for a call; return True and its result, or False and None if `end` interrupted it."""
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
        """Interrupt the calls; return how many there were."""
        self.is_over = True
        for scope in self._scopes:
            scope.cancel()
        return len(self._scopes)


class Bot(ABC):
    """One account on a chat platform, while it is connected.

    Any attribute that the class does not have is an API call: `await bot.send_msg(text="hello")`.

    Args:
        self_id: Id of the account.
        request: The request of the peer, or the open WebSocket.
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
        # Each class has hooks of its own: `_run_hooks` finds those of its bases.
        cls._calling_api_hook, cls._called_api_hook = [], []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('self_id')!r}>"

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return partial(self.call_api, name)

    # What an adapter may override

    @classmethod
    def register(cls, driver: Any, config: Config, **kwargs: Any) -> None:
        """Keep the driver and its settings; `kwargs` are further arguments of `register_adapter`."""
        cls.driver, cls.config = driver, config

    def take_reply(self, message: bytes) -> bool:
        """Take a message ahead of the queue if it answers an API call, and return whether it does.

        With an adapter that overrides this, events are handled strictly one after the other. Without, a message that
        comes while an API call waits is handled beside the handler that waits, since it may be the answer.
        """
        return False

    # What an adapter must define

    @property
    @abstractmethod
    def type(self) -> str:
        """Name of the adapter."""

    @classmethod
    @abstractmethod
    async def check_permission(cls, driver: Any, request: HTTPConnection) -> tuple[str | None, HTTPResponse | None]:
        """Decide whether a peer may connect; compare tokens with `same_token`.

        Args:
            driver: The driver that asks.
            request: An `HTTPRequest`, or a `WebSocket` that is not accepted yet.

        Returns:
            The bot's id, or None to refuse; and the response, of which status, body and headers are sent. The default
            status is 200, or 401 for a refusal (403 to a WebSocket).
        """

    @abstractmethod
    async def handle_message(self, message: bytes) -> None:
        """Handle a message of the peer: the body of a request, or a text or binary WebSocket message."""

    @abstractmethod
    async def _call_api(self, api: str, **data: Any) -> Any:
        """Call the platform's API."""

    @abstractmethod
    async def send(self, event: Any, message: Any, **kwargs: Any) -> Any:
        """Send a message in answer to an event."""

    # What a program calls

    async def call_api(self, api: str, **data: Any) -> Any:
        """Call the platform's API: the calling hooks, the call, the called hooks.

        Raises:
            CallInterrupted: The connection has ended, or ends before the answer comes.
        """
        result: Any = None
        exception: Exception | None = None
        try:
            await self._run_hooks("calling", api, data)
            result = await self._call_while_connected(api, data)
        except MockApiException as mock:
            result = mock.result
        except Exception as error:
            exception = error
        try:
            await self._run_hooks("called", exception, api, data, result)
        except MockApiException as mock:
            return mock.result
        if exception is not None:
            raise exception
        return result

    @classmethod
    def on_calling_api(cls, func: Calling) -> Calling:
        """Decorate a function of `(bot, api, data)` to run before each API call; it may change `data`.

        If it raises `MockApiException(result)`, the API is not called, and the caller gets `result`.
        """
        cls._calling_api_hook.append(func)
        return func

    @classmethod
    def on_called_api(cls, func: Called) -> Called:
        """Decorate a function of `(bot, exception, api, data, result)` to run after each API call.

        If it raises `MockApiException(result)`, the caller gets that `result`.
        """
        cls._called_api_hook.append(func)
        return func

    async def _call_while_connected(self, api: str, data: dict[str, Any]) -> Any:
        traffic: Traffic | None = self.__dict__.get("_traffic")
        if traffic is None:
            return await self._call_api(api, **data)
        is_done, result = False, None
        if not traffic.is_over:
            is_done, result = await traffic.carry(self._call_api(api, **data))
        if not is_done:
            raise CallInterrupted(self.self_id, api)
        return result

    async def _run_hooks(self, when: Literal["calling", "called"], *arguments: Any) -> None:
        name = f"_{when}_api_hook"
        hooks = [hook for base in reversed(type(self).__mro__) for hook in base.__dict__.get(name, ())]
        if not hooks:
            return
        mocks: list[MockApiException] = []
        for result in await asyncio.gather(*(hook(self, *arguments) for hook in hooks), return_exceptions=True):
            if isinstance(result, MockApiException):
                mocks.append(result)
            elif isinstance(result, Exception):
                logger.error("bot %s: a hook of %s an API failed", printable(self.self_id), when, exc_info=result)
        if mocks:
            raise mocks[0]


def same_token(given: str | bytes | None, expected: str | bytes | None) -> bool:
    """Whether a peer's token is the expected one, compared in constant time; False if either is None or empty."""
    if not given or not expected:
        return False
    both = (each.encode("utf-8", "surrogatepass") if isinstance(each, str) else each for each in (given, expected))
    return hmac.compare_digest(*both)


def bearer_token(request: HTTPConnection) -> str | None:
    """Return the token of the header `Authorization: Bearer ...` (or `Token ...`), or None."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "token") and token.strip() else None
