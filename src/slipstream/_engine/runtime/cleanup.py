"""Closes `yield` dependencies, the last opened first, as nested `async with` blocks would.

Generated source keeps a list of what it opened. `leave` closes everything on the list after success, `unwind` throws
an exception into it. Both remove an entry before they close it, so that `unwind` can go on where `leave` failed.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from types import AsyncGeneratorType
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from slipstream._engine.errors import DidNotYield
from slipstream._engine.runtime.response import RESPONSE_STARTED
from slipstream._engine.types import Fail, Receive, Scope, Send


@dataclass(eq=False, slots=True)
class Exit:
    """An entry of the list that is closed in one way, whether an exception is on its way or not."""

    held: Any

    async def leave(self) -> None:
        raise NotImplementedError


class FormExit(Exit):
    async def leave(self) -> None:
        await self.held.close()


class SlotExit(Exit):
    """Releases the semaphore of a dependency's `max_concurrency`."""

    async def leave(self) -> None:
        self.held.release()


class Shield(Exit):
    """A cancel scope around dependencies that may have scopes of their own open; it shields during their clean-up.

    Scopes are left in the reverse order of entering, so clean-up that is to leave an older scope cannot run inside a
    new one: the scope that shields has to be the oldest.
    """

    async def leave(self) -> None:
        self.held.__exit__(None, None, None)


def open_shield(exits: list[Any]) -> Shield:
    """Open a shield, to be left after everything that is put on the list later."""
    shield = Shield(anyio.CancelScope().__enter__())
    exits.append(shield)
    return shield


class ShieldedGenerator:
    """An async generator that may have scopes open where it yields; it cannot be cancelled while it is closed."""

    __slots__ = ("generator", "scope")

    def __init__(self, generator: Any, shield: Shield) -> None:
        self.generator = generator
        self.scope = shield.held

    async def __anext__(self) -> Any:
        try:
            return await self.generator.__anext__()
        except StopAsyncIteration:
            raise not_yielded(self.generator) from None

    async def leave(self) -> None:
        was = self.scope.shield
        self.scope.shield = True
        try:
            await self.generator.__anext__()
        except StopAsyncIteration:
            pass
        else:
            raise not_stopped()
        finally:
            self.scope.shield = was
        await checkpoint_if_cancelled()

    async def athrow(self, exc: BaseException) -> Any:
        was = self.scope.shield
        self.scope.shield = True
        try:
            return await self.generator.athrow(exc)
        except StopAsyncIteration:
            # A task group inside the shield takes a cancellation from outside for its own and swallows it.
            self.scope.shield = was
            await checkpoint_if_cancelled()
            raise
        finally:
            self.scope.shield = was


async def leave(exits: list[Any]) -> None:
    """Close everything after success; if a dependency raises, the others are still on the list."""
    while exits:
        opened = exits.pop()
        if type(opened) is not AsyncGeneratorType and hasattr(opened, "leave"):
            await opened.leave()
            continue
        with anyio.CancelScope(shield=True):
            try:
                await opened.__anext__()
            except StopAsyncIteration:
                pass
            else:
                raise not_stopped()
        await checkpoint_if_cancelled()


def not_stopped() -> RuntimeError:
    """Make the exception for a generator that yields a second time."""
    return RuntimeError("generator didn't stop")


def not_yielded(generator: Any) -> DidNotYield:
    """Make the exception for a generator, sync or async, that ends without a `yield`."""
    code = getattr(generator, "ag_code", getattr(generator, "gi_code", None))
    name = type(generator).__qualname__ if code is None else generator.__qualname__  # decorators may return anything
    return DidNotYield(name, name if code is None else f"{code.co_filename}:{code.co_firstlineno} in {name}")


async def unwind(exits: list[Any], exc: BaseException) -> BaseException | None:
    """Throw an exception into all that is open; return it, what was raised instead, or None if it was swallowed."""
    remaining: BaseException | None = exc
    while exits:
        opened = exits.pop()
        is_shield = isinstance(opened, (ShieldedGenerator, Shield))
        with nullcontext() if is_shield else anyio.CancelScope(shield=True):
            remaining = await _close(opened, remaining)
    return remaining


def locate(exc: BaseException, scope: Scope | None) -> None:
    """Say which request and mount a validation error of a result belongs to, before anybody reads it."""
    group: Any = exc
    for each in group.exceptions if isinstance(exc, BaseExceptionGroup) else (group,):
        if scope is not None and getattr(each, "is_located", True) is False:  # no scope was at hand when it was made
            each.locate(scope)


def open_failure(fail: Fail, swallowed: Callable[[], Exception]) -> Fail:
    """Make the function that throws an exception into open dependencies, then answers what comes out of them."""

    async def fail_open(
        exits: list[Any], exc: BaseException, sent: bool, scope: Scope, receive: Receive, send: Send, **facts: Any
    ) -> None:
        locate(exc, scope)
        remaining = await unwind(exits, exc)
        started = sent or RESPONSE_STARTED in scope
        if remaining is None:
            if sent or scope["type"] == "websocket":
                return
            remaining = swallowed()
        if not isinstance(remaining, Exception):
            raise remaining
        await fail(remaining, scope, receive, send, started=started, **facts)

    return fail_open


def inner_failure(swallowed: Callable[[], Exception]) -> Callable[..., Awaitable[Any]]:
    """Make the function that throws an exception into dependencies of scope "function", and returns what to raise.

    It returns None for a WebSocket whose dependency has swallowed the exception: nobody waits for a response.
    """

    async def fail_closing(closing: list[Any], exc: BaseException, scope: Scope | None = None) -> BaseException | None:
        locate(exc, scope)
        remaining = await unwind(closing, exc)
        if remaining is None and (scope is None or scope["type"] != "websocket"):
            return swallowed()
        return remaining

    return fail_closing


async def _close(opened: Any, exc: BaseException | None) -> BaseException | None:
    """Close one entry; return the exception to go on with."""
    try:
        if isinstance(opened, Exit):
            await opened.leave()
            return exc
        if exc is None:
            await leave([opened])
            return None
        await opened.athrow(exc)
    except StopAsyncIteration as stop:
        # Raised at the generator's end: it swallowed the exception. (Or `stop` itself was thrown in.)
        return exc if stop is exc else None
    except RuntimeError as raised:
        # A StopIteration that passes through a generator comes out wrapped.
        if raised is exc:
            return exc
        if isinstance(exc, (StopIteration, StopAsyncIteration)) and raised.__cause__ is exc:
            return exc
        return _chained(raised, exc)
    except BaseException as raised:
        return raised if raised is exc else _chained(raised, exc)
    return _chained(RuntimeError("generator didn't stop after athrow()"), exc)


def _chained(raised: BaseException, exc: BaseException | None) -> BaseException:
    """Set `__context__`, which Python sets only if `exc` was being handled."""
    if raised.__context__ is None and raised is not exc:
        raised.__context__ = exc
    return raised
